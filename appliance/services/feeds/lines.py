"""Lines of a log file, many at a time, and the order of logs that were rotated."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

LONGEST_LINE = 1 << 17
"""Longer than any reader of lines takes: it counts such a line as too long; the rest of it is left out."""

_ROTATED = re.compile(r"(?P<base>.*?)\.(?P<age>\d{1,4})(?:\.(?:gz|zst))?")


def lines(pieces: Iterable[bytes], at_a_time: int) -> Iterator[list[bytes]]:
    """Lines without their ends; empty ones are left out."""
    rest, dropping = b"", False
    found: list[bytes] = []
    for piece in pieces:
        first, *others = piece.split(b"\n")
        if not dropping:
            rest += first
        if others:
            found.append(rest)
            found += others[:-1]
            rest, dropping = others[-1], False
        if len(rest) > LONGEST_LINE and not dropping:
            rest, dropping = rest[:LONGEST_LINE], True
        while len(found) >= at_a_time:
            yield [line for line in found[:at_a_time] if line.strip()]
            del found[:at_a_time]
    last = [line for line in (*found, rest) if line.strip()]
    if last:
        yield last


def rotated(paths: Sequence[Path]) -> list[Path]:
    """`messages`, `messages.1`, `messages.2.gz`: the higher its number the older; oldest first.

    Files of other names stay in the order in which they are given.
    """
    order: dict[tuple[Path, str], int] = {}
    keyed = []
    for path in paths:
        found = _ROTATED.fullmatch(path.name)
        base, age = (found["base"], int(found["age"])) if found else (path.name, 0)
        group = order.setdefault((path.parent, base), len(order))
        keyed.append((group, -age, path))
    return [path for _, _, path in sorted(keyed, key=lambda entry: entry[:2])]
