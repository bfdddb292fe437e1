"""A day of statistics in one small file: numbers out of which each line is made again, to the byte. Pure.

`statistics/DAY/day.archive` holds what lay in `statistics/DAY/RUN-NUMBER.jsonl`; FORMAT.md specifies both.
A file that does not come out again byte for byte is not packed: it stays as it is.
"""

import itertools
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from appliance.model.errors import DecodeError
from appliance.vault.day_columns import CELL, DAY_LINE, LINE, NO_PLACE, WORD, Columns, lines_of, parsed

NAME = "day.archive"
FORMAT = "greffier statistics archive 1"
HEAD_LIMIT = 1 << 22
"""Bytes of the first line."""

LINE_LIMIT, CELL_LIMIT = 1 << 20, 1 << 23
"""Lines and cells of a day: two runs with every use of every place in every hour come to 6 million."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_FILE = re.compile(r"[0-9a-f]{8}-(?:[0-9]{1,9}|draft)\.jsonl", re.ASCII)


@dataclass(frozen=True)
class Packed:
    """A file as it lay in the day's folder: when it was written (ns), and its bytes and lines."""

    name: str
    size_bytes: int
    written_ns: int
    lines: int


def pack(day: str, files: Mapping[str, tuple[bytes, int]]) -> tuple[bytes, list[str]]:
    """The archive of files (name -> content, written_ns) of a day, and which it does not hold."""
    parts: list[tuple[Packed, Columns]] = []
    words: dict[str, int] = {}
    left_out = []
    lines_left, cells_left = LINE_LIMIT, CELL_LIMIT
    for name, (content, written_ns) in sorted(files.items()):
        columns = parsed(day, content, words) if _FILE.fullmatch(name) else None
        if (
            columns is None
            or len(columns.lines) > lines_left
            or len(columns.cells) > cells_left
            or b"".join(lines_of(columns)) != content
        ):
            left_out.append(name)
            continue
        lines_left -= len(columns.lines)
        cells_left -= len(columns.cells)
        parts.append((Packed(name, len(content), written_ns, len(columns.lines)), columns))
    lines = np.concatenate([np.zeros(0, LINE), *(columns.lines for _, columns in parts)])
    cells = np.concatenate([np.zeros(0, CELL), *(columns.cells for _, columns in parts)])
    head = {
        "format": FORMAT,
        "day": day,
        "files": [[one.name, one.size_bytes, one.written_ns, one.lines] for one, _ in parts],
        "words": list(words),
        "lines": len(lines),
        "cells": len(cells),
    }
    text = json.dumps(head, separators=(",", ":")).encode() + b"\n"
    return text + zlib.compress(_planes(lines) + _planes(cells), 9), left_out


def files_of(head: bytes) -> list[Packed]:
    """What an archive holds, of its first bytes, HEAD_LIMIT of them or all. Raises DecodeError."""
    return _head(head)[1]


def opened(content: bytes) -> tuple[Columns, list[Packed]]:
    """Everything in an archive, and the files whose lines those are. Raises DecodeError."""
    head, files, begin = _head(content)
    try:
        lines, cells = _count(head["lines"]), _count(head["cells"])
        words = tuple(_known(word) for word in head["words"])
        _require(lines <= LINE_LIMIT and cells <= CELL_LIMIT and sum(file.lines for file in files) == lines)
        split = lines * LINE.itemsize
        planes = _inflated(content[begin:], split + cells * CELL.itemsize)
        columns = Columns(str(head["day"]), _rows(planes[:split], LINE), _rows(planes[split:], CELL), words)
        _check(columns)
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise DecodeError("an archive of statistics is damaged; it was left out") from error
    return columns, files


def unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each file in an archive. Raises DecodeError."""
    columns, files = opened(content)
    lines = lines_of(columns)
    for file in files:
        text = b"".join(itertools.islice(lines, file.lines))
        if len(text) != file.size_bytes:
            raise DecodeError(f"{file.name} does not come out of its archive as it went in")
        yield file.name, text


def _head(content: bytes) -> tuple[dict[str, Any], list[Packed], int]:
    end = content.find(b"\n", 0, HEAD_LIMIT)
    try:
        head = json.loads(content[:end].decode("ascii")) if end > 0 else {}
        files = [Packed(str(name), *map(_count, numbers)) for name, *numbers in head["files"]]
        if head["format"] == FORMAT and all(_FILE.fullmatch(file.name) for file in files):
            return head, files, end + 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise DecodeError("an archive of statistics is not one of ours; it was left out")


def _inflated(content: bytes, size: int) -> bytes:
    """So many bytes, no more and no less, with the checksum that zlib (RFC 1950) puts behind them."""
    inflater = zlib.decompressobj()
    planes = inflater.decompress(content, size + 1)
    _require(inflater.eof and len(planes) == size)
    return planes


def _check(columns: Columns) -> None:
    lines, cells, words = columns.lines, columns.cells, len(columns.words)
    placed = cells["place"] != NO_PLACE
    _require(_DAY.fullmatch(columns.day) is not None)
    _require(int(lines["cells"].sum()) == len(cells))
    _require(bool((cells["name"] < words).all() and (cells["place"][placed] < words).all()))
    _require(bool(((lines["hour"] >= DAY_LINE) & (lines["hour"] < 24)).all()))


def _count(value: object) -> int:
    _require(type(value) is int and 0 <= value < 1 << 63)
    return cast(int, value)


def _known(word: object) -> str:
    _require(isinstance(word, str) and WORD.fullmatch(word) is not None)
    return str(word)


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("not as it was written")


def _planes(rows: NDArray[np.void]) -> bytes:
    """Column by column, each its first bytes, then its second ones: what is alike lies together."""
    parts = []
    for name in rows.dtype.names or ():
        column = np.ascontiguousarray(rows[name])
        parts.append(column.view(np.uint8).reshape(len(rows), column.itemsize).T.tobytes())
    return b"".join(parts)


def _rows(planes: bytes, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    count = len(planes) // dtype.itemsize
    rows = np.zeros(count, dtype)
    at = 0
    for name in dtype.names or ():
        width = dtype[name].itemsize
        plane = np.frombuffer(planes, np.uint8, count * width, at).reshape(width, count)
        rows[name] = np.ascontiguousarray(plane.T).view(dtype[name]).reshape(count)
        at += count * width
    return rows
