"""Lines of a day's statistics as columns of numbers, and again as lines, to the byte. Pure.

What lies in `statistics/DAY/RUN-NUMBER.jsonl`; FORMAT.md specifies it. What the numbers say is not believed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_PLACE = 0xFFFF
DAY_LINE = -1

LINE = np.dtype([("hour", "<i1"), ("marks", "<u1"), ("users", "<u8"), ("cells", "<u4")])
"""`hour` of the day or DAY_LINE; `marks` are the bits below; so many `cells` are the line's own."""

CELL = np.dtype(
    [("place", "<u2"), ("name", "<u2"), ("octets", "<u8"), ("connections", "<u8"), ("clients", "<u8"),
     ("at_least", "<u1")]
)  # fmt: skip
"""A use at a place, or with NO_PLACE a system of a day; `place` and `name` are numbers of `Columns.words`."""

USERS, USERS_AT_LEAST, TOO_FEW, LISTED = 1, 2, 4, 8
"""What a line states: users, that they are "at least", that there were too few, and its list of cells."""

WORD = re.compile(r"[ -!#-\[\]-~]{1,40}", re.ASCII)
"""What JSON writes as it stands, between quotes."""


@dataclass(frozen=True)
class Columns:
    """The lines of one or more files, in order, and their cells, in order."""

    day: str
    lines: NDArray[np.void]
    cells: NDArray[np.void]
    words: tuple[str, ...]


def parsed(day: str, content: bytes, words: dict[str, int]) -> Columns | None:
    """Lines of JSON as columns; new words get numbers. None for what lines of ours do not look like."""
    known = dict(words)
    lines: list[tuple[int, ...]] = []
    cells: list[tuple[object, ...]] = []
    try:
        for text in content.decode("ascii").split("\n")[:-1]:
            _add(json.loads(text), lines, cells, known)
        made = np.array(lines, LINE), np.array(cells, CELL)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError):
        return None
    if len(known) >= NO_PLACE or not all(map(WORD.fullmatch, known)):
        return None
    words.update(known)
    return Columns(day, *made, tuple(known))


def _add(
    told: Mapping[str, Any],
    lines: list[tuple[int, ...]],
    cells: list[tuple[object, ...]],
    words: dict[str, int],
) -> None:
    hour = DAY_LINE if "day" in told else int(told["hour"][11:13])
    if not DAY_LINE <= hour < 24:
        raise ValueError("no hour of a day")
    listed = told.get("systems" if hour == DAY_LINE else "cells")
    marks = USERS * ("users" in told) | USERS_AT_LEAST * ("at_least" in told)
    marks |= TOO_FEW * ("too_few" in told) | LISTED * (listed is not None)
    lines.append((hour, marks, told.get("users", 0), len(listed or ())))
    cells += [_cell(one, words) for one in listed or ()]


def _cell(told: Mapping[str, object], words: dict[str, int]) -> tuple[object, ...]:
    clients, cut = told["clients"], "at_least" in told
    if "system" in told:
        return NO_PLACE, _number(told["system"], words), 0, 0, clients, cut
    place, use = _number(told["place"], words), _number(told["use"], words)
    return place, use, told["bytes"], told["connections"], clients, cut


def _number(word: object, words: dict[str, int]) -> int:
    return words.setdefault(str(word), len(words))


def lines_of(columns: Columns) -> Iterator[bytes]:
    """Each line as it was written, its end included."""
    ends = np.cumsum(columns.lines["cells"]).tolist()
    for line, end in zip(columns.lines.tolist(), ends, strict=True):
        hour, marks, users, count = line
        cells = columns.cells[end - count : end].tolist()
        yield _line(columns.day, hour, marks, users, _listed(cells, columns.words)).encode("ascii")


def _line(day: str, hour: int, marks: int, users: int, listed: str) -> str:
    is_day = hour == DAY_LINE
    begun = f'{{"day":"{day}"' if is_day else f'{{"hour":"{day}T{hour:02}:00:00Z"'
    told = f',"users":{users}' if marks & USERS else ',"too_few":true'
    told += ',"at_least":true' if marks & USERS_AT_LEAST else ""
    told += f',"{"systems" if is_day else "cells"}":[{listed}]' if marks & LISTED else ""
    told += ',"too_few":true' if marks & USERS and marks & TOO_FEW else ""
    return f"{begun}{told}}}\n"


def _listed(cells: Sequence[tuple[int, ...]], words: Sequence[str]) -> str:
    shown = []
    for place, name, octets, connections, clients, cut in cells:
        told = f'{{"system":"{words[name]}"'
        if place != NO_PLACE:
            told = f'{{"place":"{words[place]}","use":"{words[name]}"'
            told += f',"bytes":{octets},"connections":{connections}'
        shown.append(f'{told},"clients":{clients}' + (',"at_least":true}' if cut else "}"))
    return ",".join(shown)
