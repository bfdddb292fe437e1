"""Classic BPF programs with named jumps (Documentation/networking/filter.rst), assembled for the kernel."""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from struct import Struct

_INSTRUCTION = Struct("=HBBI")  # struct sock_filter, linux/filter.h: code, jump if true, jump if false, k


class Op(IntEnum):
    """Codes of linux/bpf_common.h: A is the accumulator, X the index register; `_X` loads at X + k."""

    LOAD_LENGTH = 0x80
    LOAD_WORD = 0x20
    LOAD_HALF = 0x28
    LOAD_WORD_X = 0x40
    LOAD_HALF_X = 0x48
    LOAD_BYTE_X = 0x50
    LOAD_MEMORY = 0x60
    LOAD_X_MEMORY = 0x61
    STORE = 0x02
    STORE_X = 0x03
    SET_X = 0x01
    COPY_A_TO_X = 0x07
    COPY_X_TO_A = 0x87
    AND = 0x54
    SHIFT_LEFT = 0x64
    SHIFT_RIGHT = 0x74
    ADD = 0x04
    ADD_X = 0x0C
    IF_EQUAL = 0x15
    IF_GREATER = 0x25
    IF_AT_LEAST = 0x35
    IF_ANY_BIT = 0x45
    IF_AT_LEAST_X = 0x3D
    JUMP = 0x05
    RETURN = 0x06


_CONDITIONS = {Op.IF_EQUAL, Op.IF_GREATER, Op.IF_AT_LEAST, Op.IF_ANY_BIT, Op.IF_AT_LEAST_X}
_FARTHEST = 255
_FEW = 3
LONGEST_PROGRAM = 4096
"""BPF_MAXINSNS, linux/bpf_common.h."""

Line = tuple[int, str, str, int] | str
"""An instruction: code, name to jump to if true, if false (empty: the next line), k; or a name."""


def assemble(program: Iterable[Line]) -> bytes:
    """The program as an array of `struct sock_filter`. ValueError if it is too long for the kernel."""
    lines = list(program)
    while (at := _far(lines)) is not None:
        lines[at : at + 1] = _with_long_jumps(lines[at], len(lines))
    names = _names(lines)
    instructions = [line for line in lines if not isinstance(line, str)]
    if len(instructions) > LONGEST_PROGRAM:
        raise ValueError(f"the program has {len(instructions)} instructions, the kernel takes 4096")
    return b"".join(_encoded(line, here, names) for here, line in enumerate(instructions))


def among(values: Sequence[int], then: str, name: str = "") -> Iterator[Line]:
    """Go to `then` if A is one of the values, else on; many are searched by halves, named after `name`."""
    if not name:
        for value in values:
            yield (Op.IF_EQUAL, then, "", value)
        return
    yield from _halves(sorted(set(values)), then, name, f"none {name}")
    yield f"none {name}"


def _halves(values: Sequence[int], then: str, name: str, otherwise: str) -> Iterator[Line]:
    if len(values) <= _FEW:
        yield from among(values, then)
        yield (Op.JUMP, otherwise, "", 0)
        return
    middle = len(values) // 2
    yield (Op.IF_AT_LEAST, f"{name}+", "", values[middle])
    yield from _halves(values[:middle], then, f"{name}-", otherwise)
    yield f"{name}+"
    yield from _halves(values[middle:], then, f"{name}+.", otherwise)


def _encoded(line: tuple[int, str, str, int], here: int, names: dict[str, int]) -> bytes:
    code, when_true, when_false, k = line
    if code == Op.JUMP:
        return _INSTRUCTION.pack(code, 0, 0, names[when_true] - here - 1)
    true, false = (names[name] - here - 1 if name else 0 for name in (when_true, when_false))
    return _INSTRUCTION.pack(code, true, false, k)


def _names(lines: Sequence[Line]) -> dict[str, int]:
    """The number of the instruction that follows each name."""
    names: dict[str, int] = {}
    count = 0
    for line in lines:
        if isinstance(line, str):
            names[line] = count
        else:
            count += 1
    return names


def _far(lines: Sequence[Line]) -> int | None:
    """The first condition that jumps farther than a byte says."""
    names = _names(lines)
    here = 0
    for at, line in enumerate(lines):
        if isinstance(line, str):
            continue
        code, when_true, when_false, _ = line
        farthest = max(names[name] - here - 1 if name else 0 for name in (when_true, when_false))
        if code in _CONDITIONS and farthest > _FARTHEST:
            return at
        here += 1
    return None


def _with_long_jumps(line: Line, unique: int) -> list[Line]:
    assert not isinstance(line, str)
    code, when_true, when_false, k = line
    true, false, onwards = (f"{name} of {unique}" for name in ("true", "false", "onwards"))
    return [
        (code, true, false, k),
        true,
        (Op.JUMP, when_true or onwards, "", 0),
        false,
        (Op.JUMP, when_false or onwards, "", 0),
        onwards,
    ]
