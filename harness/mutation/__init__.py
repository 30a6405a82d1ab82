# SPDX-License-Identifier: MIT
"""Small changes of the code, each of which a test has to notice.

mutant      one change; no behaviour
source      the text of a file: offsets, lines, brackets, comments
clang       a file of C as a tree, by clang
c_code      the changes of a file of C
python_code the changes of a file of Python
trial       what is run to find out whether a test notices, as a generator; touches no process
said        what programs that run tests have said
workshop    a copy of the project that may be broken, and trials in it
python_shop the same for the harness
crew        trials side by side
ledger      the results, kept from run to run; and the survivors that are equivalent
report      tables, page and JSON
command     what harness/mutate.py does
"""
