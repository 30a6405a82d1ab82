# SPDX-License-Identifier: MIT
"""The keyboard from outside: QEMU presses every key that its own has, and the kernel says which;
and what is typed at the prompt is read back from the serial port and from the screen."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

import pytest
from judge.keys import PLAIN, SHIFTED, keys_of
from judge.vm import Machines, VirtualMachine
from tests.proves import proves

from pixels import read_pixels
from quick_keys import send, strokes

TYPIST = "ktest.select=ps2_keyboard.says_what_is_typed test.typist={}"
SAID = re.compile(r"^key 0x(\w+) (pressed|released), U\+(\w+)$", re.MULTILINE)
CTRL, SHIFT, ALT = 0xe0, 0xe1, 0xe2
PROMPT = "faultline> "

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
def typist(request: pytest.FixtureRequest, machine: Machines, has_tests: bool) -> VirtualMachine:
    if not has_tests:
        pytest.skip("this kernel has no tests")
    vm = machine.boot(arguments=TYPIST.format(request.param))
    vm.expect("type\n")
    return vm


@proves("7.6.3", "7.6.4")
def test_each_key_of_the_keyboard_is_known(typist: VirtualMachine) -> None:
    names = [name for name in NUMBERS if name != "esc"]
    for name in names:
        typist.press(name)
    assert [key[:2] for key in typed(typist)] == [
        (NUMBERS[name], is_pressed) for name in names for is_pressed in (True, False)]


@proves("7.6.3")
def test_keys_that_are_sent_in_another_way_together(typist: VirtualMachine) -> None:
    """Such as Break and SysRq; around that, QEMU releases Alt and presses it again."""
    for keys in ("ctrl-pause", "alt-print", "shift-up", "ctrl-alt-delete"):
        typist.press(keys)
    pressed = [key for key, is_pressed, _ in typed(typist) if is_pressed]
    assert [key for key in pressed if key != ALT] == [CTRL, 0x48, 0x46, SHIFT, 0x52, CTRL, 0x4c]


@proves("7.6.4", "7.6.5", "7.6.7")
def test_all_that_a_us_keyboard_types_comes_once(typist: VirtualMachine) -> None:
    text = "Hello World" + "".join(PLAIN).replace("\x1b", "") + "".join(SHIFTED)
    released = typist.console.count(" released, ")
    for character in text:  # the controller keeps 16 bytes only, for however long the kernel stands
        typist.type(character)
        released += len(keys_of(character))
        typist.wait_until(lambda: typist.console.count(" released, ") >= released,
                          f"the keys of {character!r} were not released")
    keys = typed(typist)
    assert "".join(chr(character) for _, _, character in keys if character) == text
    assert not [key for key in keys if key[0] == SHIFT and key[2]]


# --- What is typed at the prompt ------------------------------------------------------------------

# The keys in which layouts differ, and what each layout types with them: alone, with Shift, and
# with AltGr, where a space is none. As it stands on the keycaps; written down a second time on
# purpose.
KEYS = ("grave_accent 1 2 3 4 5 6 7 8 9 0 minus equal q w e r t y u i o p bracket_left "
        "bracket_right a s d f g h j k l semicolon apostrophe backslash less z x c v b n m comma "
        "dot slash").split()
NONE = " " * len(KEYS)
LAYOUTS: Dict[str, Tuple[str, str, str]] = {
    "us104": (r"`1234567890-=qwertyuiop[]asdfghjkl;'\\zxcvbnm,./",
              r'~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"||ZXCVBNM<>?', NONE),
    "uk105": (r"`1234567890-=qwertyuiop[]asdfghjkl;'#\zxcvbnm,./",
              r'¬!"£$%^&*()_+QWERTYUIOP{}ASDFGHJKL:@~|ZXCVBNM<>?',
              "¦   €          é   úíó   á                      "),
    "de105": (r"^1234567890ß´qwertzuiopü+asdfghjklöä#<yxcvbnm,.-",
              r"""°!"§$%&/()=?`QWERTZUIOPÜ*ASDFGHJKLÖÄ'>YXCVBNM;:_""",
              "  ²³   {[]}\\ @ €        ~            |      µ   "),
    "azerty": (r"""²&é"'(-è_çà)=azertyuiop^$qsdfghjklmù*<wxcvbn,;:!""",
               r" 1234567890°+AZERTYUIOP¨£QSDFGHJKLM%µ>WXCVBN?./§",
               r"  ~#{[|`\^@]}  €        ¤                       "),
    "dvorak": (r"`1234567890[]',.pyfgcrl/=aoeuidhtns-\\;qjkxbmwvz",
               r'~!@#$%^&*(){}"<>PYFGCRL?+AOEUIDHTNS_||:QJKXBMWVZ', NONE),
}
LEVELS = ("", "shift", "alt_r")
assert all(len(level) == len(KEYS) for levels in LAYOUTS.values() for level in levels)
AT_ONCE = 6  # keys: two bytes each, and the controller keeps 16
MANY_KEYS = 10_000
BURST_KEYS = 200
BELL = "\a"  # what the prompt answers to a character that is not ASCII


def boot(machine: Machines, has_tests: bool, way: str = "", layout: str = "") -> VirtualMachine:
    """A kernel that waits for keys at its prompt."""
    words = [f"keyboard={layout}"] if layout else []
    if has_tests:
        words += ["monitor"]
    vm = machine.boot(way=way, arguments=" ".join(words))
    vm.expect("It did not crash!\n" + PROMPT, timeout=60.0)
    vm.wait_until(lambda: vm.registers()["hlt"] == 1, "it does not wait for keys")
    return vm


def behind_the_first_prompt(vm: VirtualMachine) -> str:
    return vm.console.partition("It did not crash!\n" + PROMPT)[2]


def paced(vm: VirtualMachine, keys: Sequence[str], text: str) -> None:
    """Types as many keys as the controller can keep, then waits until the kernel has answered."""
    for at in range(0, len(keys), AT_ONCE):
        send(vm, strokes(keys[at:at + AT_ONCE]))
        vm.expect(text[at:at + AT_ONCE])


def cancel(vm: VirtualMachine, layout: str) -> None:
    """Another line, without running this one: Control with the key that types a c."""
    vm.press(f"ctrl-{KEYS[LAYOUTS[layout][0].index('c')]}")
    vm.expect("^C\n" + PROMPT)


def send_until_it_is_shown(vm: VirtualMachine, key: str, text: str) -> None:
    """For when the controller may be full as yet, and drop it."""
    def is_shown() -> bool:
        send(vm, strokes([key]))
        return text in vm.console[start:]

    start = len(vm.console)
    vm.wait_until(is_shown, f"the key {key} is not shown")


def levels_of(layout: str) -> Iterator[Tuple[str, Sequence[str], str]]:
    """The modifier, the keys that type something with it, and what."""
    for modifier, characters in zip(LEVELS, LAYOUTS[layout]):
        typed_by = [(key, each) for key, each in zip(KEYS, characters) if each != " "]
        if typed_by:
            keys, text = zip(*typed_by)
            yield modifier, keys, "".join(text)


def type_levels(vm: VirtualMachine, layout: str) -> Iterator[str]:
    """Types all that a layout has, a line for each level, and returns what the prompt makes of it:
    characters that are not ASCII ring the bell."""
    for modifier, keys, text in levels_of(layout):
        answer = "".join(each if each.isascii() else BELL for each in text)
        if modifier:
            send(vm, [(modifier, True)])
        paced(vm, keys, answer)
        if modifier:
            send(vm, [(modifier, False)])
        cancel(vm, layout)
        yield f"{PROMPT}{answer}^C"


def expect_typed(vm: VirtualMachine, read: Callable[[], Sequence[str]], lines: List[str]) -> None:
    """On the screen, which is a moment behind the serial port."""
    expected = [line.replace(BELL, "") for line in lines]

    def is_shown() -> bool:
        screen = list(read())
        start = screen.index("It did not crash!") + 1
        return screen[start:start + len(lines)] == expected

    vm.wait_until(is_shown, f"the screen does not show {expected}")


@proves("7.6.9", "7.6.5")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_whole_layout_is_on_the_screen_in_text_mode(machine: Machines, has_tests: bool,
                                                    layout: str) -> None:
    vm = boot(machine, has_tests, layout=layout)
    lines = list(type_levels(vm, layout))
    assert PROMPT + behind_the_first_prompt(vm) == "\n".join(lines + [PROMPT])
    expect_typed(vm, lambda: vm.screen().lines, lines)


@proves("2.3.7", "7.6.9")
def test_whole_layout_is_on_the_screen_in_pixels(machine: Machines, has_tests: bool,
                                                 tmp_path: Path) -> None:
    vm = boot(machine, has_tests, way="uefi")
    lines = list(type_levels(vm, "us104"))

    def read() -> List[str]:
        vm.screenshot(tmp_path / "screen.png")
        return read_pixels(tmp_path / "screen.png")

    expect_typed(vm, read, lines)


@proves("7.6.5", "7.6.9")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_key_of_a_layout_has_its_character(machine: Machines, has_tests: bool, layout: str
                                                ) -> None:
    """Also those that are not ASCII: the command keys says them all."""
    vm = boot(machine, has_tests, layout=layout)
    vm.send("keys\r")
    vm.expect("ends this\n")
    for modifier, keys, text in levels_of(layout):
        start = len(vm.console)
        send(vm, [(modifier, True)] if modifier else [])
        for key, character in zip(keys, text):
            send(vm, strokes([key]))
            vm.expect(f"key 0x{NUMBERS[key]:02x} released, U+0000\n")
        send(vm, [(modifier, False)] if modifier else [])
        said = [int(code, 16) for _, how, code in SAID.findall(vm.console[start:])
                if how == "pressed" and int(code, 16)]
        assert "".join(map(chr, said)) == text
    vm.press("esc")
    vm.expect("key 0x29 pressed, U+001b\n" + PROMPT)


@proves("7.6.9")
def test_backspace_takes_back_and_nothing_else_moves(machine: Machines, has_tests: bool) -> None:
    vm = boot(machine, has_tests)
    paced(vm, ["h", "e", "j"], "hej")
    send(vm, strokes(["f1", "caps_lock", "caps_lock", "esc"]))
    paced(vm, ["backspace"], "\b \b")
    paced(vm, ["1"], "1")
    expect_typed(vm, lambda: vm.screen().lines, [PROMPT + "he1"])


def test_layout_that_there_is_not_is_the_us_one(machine: Machines, has_tests: bool) -> None:
    vm = boot(machine, has_tests, layout="klingon")
    paced(vm, ["z"], "z")
    assert "warn  keyboard: keyboard=klingon: no such layout, it is us104 then\n" in vm.console


@proves("7.6.4", "7.6.9")
def test_many_keys_are_neither_lost_nor_doubled(machine: Machines, has_tests: bool) -> None:
    """The prompt says each line again, as a command that it does not know."""
    vm = boot(machine, has_tests)
    expected = ""
    for at in range(0, MANY_KEYS, 50):
        line = [KEYS[1 + (at + each) % 9] for each in range(49)]
        word = "".join(line)
        paced(vm, line, word)
        paced(vm, ["ret"], "\n")
        vm.expect(PROMPT)
        expected += f"{word}\nunknown command: {word}; try help\n{PROMPT}"
    assert behind_the_first_prompt(vm) == expected
    lines = (PROMPT + expected).splitlines()[-11:]
    vm.wait_until(lambda: vm.screen().lines[-len(lines):] == tuple(map(str.rstrip, lines)),
                  "the screen does not show the last lines")


@proves("7.6.1")
def test_what_the_controller_drops_is_counted(machine: Machines, has_tests: bool) -> None:
    """All of it comes at once: QEMU lets no guest in between. What is kept is the first of it, and
    the keyboard lives on."""
    vm = boot(machine, has_tests)
    burst = [KEYS[1 + at % 9] for at in range(BURST_KEYS)]
    send(vm, strokes(burst))
    send_until_it_is_shown(vm, "ret", "\n")
    kept = behind_the_first_prompt(vm).partition("\n")[0]
    print(f"{len(kept)} of {len(burst)} keys came, {len(burst) - len(kept)} were dropped")
    assert 0 < len(kept) <= 16 and "".join(burst).startswith(kept)
    paced(vm, ["a", "b", "c"], "abc")
