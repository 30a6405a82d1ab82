# SPDX-License-Identifier: MIT
"""The keyboard from outside: QEMU presses every key that its own has, and the kernel says which."""
from __future__ import annotations

import re
from typing import Dict, List, Tuple

import pytest
from judge.keys import PLAIN, SHIFTED
from judge.vm import Machines, VirtualMachine
from tests.proves import proves

TYPIST = "ktest.select=ps2_keyboard.says_what_is_typed test.typist={}"
SAID = re.compile(r"^key 0x(\w+) (pressed|released), U\+(\w+)$", re.MULTILINE)
CTRL, SHIFT, ALT = 0xe0, 0xe1, 0xe2

# QEMU's names, in the order of USB's numbers (HID Usage Tables, page 7) from the one in front.
USB_KEYS: Dict[int, str] = {
    0x04: "a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9 0",
    0x28: "ret esc backspace tab spc minus equal bracket_left bracket_right backslash",
    0x33: "semicolon apostrophe grave_accent comma dot slash caps_lock",
    0x3a: "f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12",
    0x46: "print scroll_lock pause insert home pgup delete end pgdn right left down up",
    0x53: "num_lock kp_divide kp_multiply kp_subtract kp_add kp_enter",
    0x59: "kp_1 kp_2 kp_3 kp_4 kp_5 kp_6 kp_7 kp_8 kp_9 kp_0 kp_decimal",
    0x64: "less compose power kp_equals",
    0x7f: "audiomute volumeup volumedown",
    0x85: "kp_comma",
    0x87: "ro katakanahiragana yen henkan muhenkan",
    0xe0: "ctrl shift alt meta_l ctrl_r shift_r alt_r meta_r",
}
NUMBERS = {name: first + at for first, names in USB_KEYS.items()
           for at, name in enumerate(names.split())}


def typed(vm: VirtualMachine) -> List[Tuple[int, bool, int]]:
    """All keys that the kernel has seen, without the last one, Escape, which ends it."""
    vm.press("esc")
    vm.expect("\n0 unknown codes, 0 overruns, 0 dropped bytes\n")
    keys = [(int(key, 16), how == "pressed", int(character, 16))
            for key, how, character in SAID.findall(vm.console)]
    assert keys[-2:] == [(0x29, True, 0x1b), (0x29, False, 0)]
    return keys[:-2]


@pytest.fixture(params=[1, 2], ids=["set 1", "set 2"])
def vm(request: pytest.FixtureRequest, machine: Machines, has_tests: bool) -> VirtualMachine:
    if not has_tests:
        pytest.skip("this kernel has no tests")
    vm = machine.boot(arguments=TYPIST.format(request.param))
    vm.expect("type\n")
    return vm


@proves("7.6.3", "7.6.4")
def test_each_key_of_the_keyboard_is_known(vm: VirtualMachine) -> None:
    names = [name for name in NUMBERS if name != "esc"]
    for name in names:
        vm.press(name)
    assert [key[:2] for key in typed(vm)] == [
        (NUMBERS[name], is_pressed) for name in names for is_pressed in (True, False)]


@proves("7.6.3")
def test_keys_that_are_sent_in_another_way_together(vm: VirtualMachine) -> None:
    """Such as Break and SysRq; around that, QEMU releases Alt and presses it again."""
    for keys in ("ctrl-pause", "alt-print", "shift-up", "ctrl-alt-delete"):
        vm.press(keys)
    pressed = [key for key, is_pressed, _ in typed(vm) if is_pressed]
    assert [key for key in pressed if key != ALT] == [CTRL, 0x48, 0x46, SHIFT, 0x52, CTRL, 0x4c]


@proves("7.6.4", "7.6.5", "7.6.7")
def test_all_that_a_us_keyboard_types_comes_once(vm: VirtualMachine) -> None:
    text = "Hello World" + "".join(PLAIN).replace("\x1b", "") + "".join(SHIFTED)
    vm.type(text)
    keys = typed(vm)
    assert "".join(chr(character) for _, _, character in keys if character) == text
    assert not [key for key in keys if key[0] == SHIFT and key[2]]
