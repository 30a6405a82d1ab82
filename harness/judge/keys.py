# SPDX-License-Identifier: MIT
"""Keys by what they type on a US keyboard, under the names that QEMU has for them (QKeyCode)."""
from __future__ import annotations

import string
from typing import Dict, Tuple

Keys = Tuple[str, ...]  # held down together

PLAIN: Dict[str, str] = {
    **{character: character for character in string.ascii_lowercase + string.digits},
    " ": "spc", "\n": "ret", "\t": "tab", "\b": "backspace", "\x1b": "esc",
    "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon",
    "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot",
    "/": "slash",
}
SHIFTED = dict(zip('ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()_+{}:"~|<>?',
                   "abcdefghijklmnopqrstuvwxyz1234567890-=[];'`\\,./"))
ALIASES = {"enter": "ret", "return": "ret", "space": "spc", "escape": "esc", "del": "delete",
           "control": "ctrl", "pageup": "pgup", "pagedown": "pgdn", "windows": "meta_l"}


def keys_of(character: str) -> Keys:
    """What to hold down for one character."""
    if character in SHIFTED:
        return ("shift", PLAIN[SHIFTED[character]])
    if character in PLAIN:
        return (PLAIN[character],)
    raise ValueError(f"a US keyboard has no key for {character!r}: type printable ASCII, "
                     "\\n, \\t, \\b or \\x1b")


def chord(text: str) -> Keys:
    """What to hold down for `ctrl-alt-f1`: names of QEMU, or characters, with `-` between."""
    keys: Keys = ()
    for name in text.split("-"):
        if not name:
            raise ValueError(f"{text!r} is no name of keys: it is one like ctrl-alt-f1, and the "
                             "key - itself is called minus")
        keys += keys_of(name) if len(name) == 1 else (ALIASES.get(name.lower(), name.lower()),)
    return keys
