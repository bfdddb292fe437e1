"""Reads a journal file: the frames it holds, as tables of the model's schema."""

import datetime as dt
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from numpy.typing import NDArray

from appliance.model.errors import HomeError
from appliance.model.rows import BINDING, FED_TRAFFIC, TRAFFIC
from appliance.vault import journal
from appliance.vault.columns import TEXTS, to_table
from appliance.vault.day_keys import DayKey
from appliance.vault.names import VaultName


class Opener(Protocol):
    """Gives day keys: `custody.KeyOpener` does, with the custodians."""

    def open(self, vault: VaultName, day: dt.date, key_id: str) -> DayKey: ...


def read(path: Path, opener: Opener) -> Iterator[pa.Table]:
    """Each frame's rows, at most 131,072 of them; a torn last frame is left out.

    A file that vanishes before it is opened (a segment has just replaced it) gives nothing. Raises HomeError
    for a damaged file and what the opener raises.
    """
    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError:
        return
    header_line = bytes(content[: bytes(content[:4096]).find(b"\n") + 1])
    if not header_line:
        return
    header = _header(path, header_line)
    frames = list(journal.frames(content, len(header_line)))
    if not frames:
        return
    cipher = journal.frame_key(opener.open(header.vault, header.day, header.key_id))
    for number, (at_ns, nonce, sealed) in enumerate(frames):
        try:
            plaintext = cipher.decrypt(nonce, sealed, journal.frame_context(header_line, number, at_ns))
            rows, sources, texts = unpack(plaintext)
        except (InvalidTag, ValueError) as error:
            if number == len(frames) - 1 and isinstance(error, InvalidTag):
                return
            raise HomeError(
                f"frame {number} of the journal file {path} does not open; see 'greffier verify'"
            ) from None
        yield to_table(rows, sources, texts)


def _header(path: Path, line: bytes) -> journal.Header:
    try:
        header = journal.parse_header(line)
    except ValueError as error:
        raise HomeError(f"the journal file {path} {error}; restore it from a copy of the home") from None
    if header.name != path.name:
        raise HomeError(f"the journal file {path} was called {header.name}; give it back its name")
    return header


def _kind(names: set[str]) -> np.dtype[np.void]:
    """The rows that these columns are of; a column that a frame does not name stays zero: not known."""
    for kind in (TRAFFIC, FED_TRAFFIC, BINDING):
        if names <= set(kind.names or ()):
            return kind
    raise ValueError("holds columns of no known record")


def unpack(plaintext: bytes) -> tuple[NDArray[np.void], list[str], list[str]]:
    """The rows of a frame, the names of their sources, and their texts; ValueError if it is no frame."""
    try:
        description_bytes, planes_bytes = journal.PLAIN_HEAD.unpack_from(plaintext)
        start = journal.PLAIN_HEAD.size
        description = json.loads(plaintext[start : start + description_bytes])
        columns = [(name, np.dtype(kind)) for name, kind in description["columns"]]
        count = description["rows"]
        packed = memoryview(plaintext)[start + description_bytes :]
        planes = np.frombuffer(pa.Codec("zstd").decompress(packed, planes_bytes), np.uint8)
    except (struct.error, KeyError, TypeError, OSError) as error:
        raise ValueError(f"is not a frame ({error})") from None
    rows = np.zeros(count, _kind({name for name, _ in columns}))
    start = 0
    for name, kind in columns:
        end = start + count * kind.itemsize
        column = planes[start:end].reshape(kind.itemsize, count).T
        rows[name] = np.ascontiguousarray(column).view(kind).reshape(count)
        start = end
    numbers, texts = _texts(description)
    for name in TEXTS:
        if name in (rows.dtype.names or ()) and rows[name].any():
            rows[name] = np.searchsorted(numbers, rows[name])
    return rows, description["sources"], texts


def _texts(description: dict[str, Any]) -> tuple[NDArray[np.uint32], list[str]]:
    """The numbers that the frame's rows name texts by, ascending from 0, and the texts."""
    pairs = [(0, ""), *((number, text) for number, text in description.get("texts", []))]
    return np.array([number for number, _ in pairs], np.uint32), [text for _, text in pairs]
