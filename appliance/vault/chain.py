"""The chain: one append-only file of signed lines, each naming the hash of the line before.

It is the catalogue of the home: what exists, what was seen, what was destroyed. Several recorders may
append (under a lock); readers need none, for a line counts only once its newline is there.
"""

import contextlib
import gc
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.model.errors import HomeError, StorageError
from appliance.model.instants import to_iso
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import write_all
from appliance.vault import canonical, seals, signing
from appliance.vault.names import Home
from appliance.vault.seals import Body, Repair, Rollback

PURPOSE = b"greffier chain 1"
NO_LINE = "0" * 64
_TAIL_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a chain: its number and hash. Whoever noted it can prove a later rollback."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: its number, the wall clock when it was written, its hash, and what it says."""

    seq: int
    at_ns: int
    hash: str
    body: Body


def parse_head(text: str) -> Head:
    """`SEQ:HASH` as printed by status and verify; ValueError with the form expected."""
    seq, _, digest = text.strip().partition(":")
    if not seq.isascii() or not seq.isdigit() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ValueError(f"'{text}' is not a head of a chain; write it as status prints it, SEQ:HASH")
    return Head(int(seq), digest)


def entry(fields: dict[str, Any], line: bytes) -> Entry:
    """The entry of a decoded line (`line` with its newline); empties `fields`. ValueError if malformed."""
    seq, at, _, _ = (fields.pop(key, None) for key in ("seq", "at", "prev", "sig"))
    if type(seq) is not int or seq < 0 or not isinstance(at, str):
        raise ValueError("has no number or no time")
    return Entry(seq, seals.instant(at), canonical.sha256(line), seals.from_json(fields))


def split_lines(content: bytes) -> tuple[list[bytes], int]:
    """The whole lines, newlines included, and how many bytes of a torn line follow them."""
    lines = content.split(b"\n")
    torn = len(lines.pop())
    return [line + b"\n" for line in lines], torn


def read(home: Home) -> list[Entry]:
    """Every entry, in order; signatures and hashes are for `verify`. Raises HomeError at a malformed line."""
    return read_lines(home, split_lines(content(home))[0])


def read_lines(home: Home, lines: Sequence[bytes], before: int = 0) -> list[Entry]:
    """The entries of some whole lines of a chain, which `before` others precede. Raises HomeError."""
    entries = []
    # A year has 18,000 lines and no cycle among their objects: looking for one took 40 % of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for line in lines:
            entries.append(entry(json.loads(line), line))  # noqa: PERF401 - counts lines for the error
    except (ValueError, AttributeError) as error:
        where = f"{home.chain} line {before + len(entries) + 1}"
        raise HomeError(f"{where} {error}; 'greffier verify' shows every fault") from None
    finally:
        if collecting:
            gc.enable()
    return entries


def first(home: Home) -> Entry:
    """The line that says whose chain this is, its body an Init. Raises HomeError."""
    line = _first_line(home)
    try:
        found = entry(canonical.decode(line), line + b"\n")
    except ValueError as error:
        raise HomeError(f"{home.chain} line 1 {error}; restore it from a copy of the home") from None
    if not isinstance(found.body, seals.Init):
        raise HomeError(
            f"{home.chain} does not begin with the box's own line; restore it from a copy of the home"
        )
    return found


def content(home: Home) -> bytes:
    """The bytes of the chain. Raises HomeError if there is none."""
    try:
        return home.chain.read_bytes()
    except OSError as error:
        raise _unreadable(home, error) from error


def _first_line(home: Home) -> bytes:
    """Without its newline."""
    try:
        with home.chain.open("rb") as opened:
            return opened.readline().removesuffix(b"\n")
    except OSError as error:
        raise _unreadable(home, error) from error


def _unreadable(home: Home, error: OSError) -> HomeError:
    return HomeError(f"cannot read {home.chain}: {error.strerror}; restore it from a copy of the home")


def head_file(home: Home) -> Path:
    """Where the last known head is noted, apart from the chain, so that a shortened chain is noticed."""
    return home.state / "head"


def known_head(home: Home) -> Head | None:
    """The head noted in the state folder; None if the note is missing or unreadable."""
    try:
        return parse_head(head_file(home).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


class Chain:
    """Appends to a home's chain. Opens nothing until the first append."""

    def __init__(self, home: Home, signer: signing.Signer, clock: Clock = now_ns) -> None:
        self.home = home
        self.signer = signer
        self.clock = clock

    @classmethod
    def open(cls, home: Home) -> "Chain":
        """The chain of a home, signed with its box.key. Raises HomeError."""
        return cls(home, signing.load(home.signing_key))

    def begin(self, body: seals.Init) -> Entry:
        """Write the first line of a new chain."""
        handle = os.open(self.home.chain, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            return self._write(handle, None, [body])[0]
        finally:
            os.close(handle)

    def append(self, bodies: Sequence[Body]) -> list[Entry]:
        """Sign and append lines, all or none, durable on return.

        A torn end is cut off and a lost head stated first, each in a line of its own; the entries returned
        are those of `bodies` only. Raises StorageError (the chain is as before) and HomeError.
        """
        entries = self._append(bodies)
        return entries[len(entries) - len(bodies) :]

    def repair(self) -> list[Entry]:
        """Cut a torn end off and state a lost head, if there is one; the entries that say so."""
        return self._append([])

    def _append(self, bodies: Sequence[Body]) -> list[Entry]:
        with self._locked() as handle:
            last, torn = _head_of(handle)
            found: list[Body] = [Repair(torn)] if torn else []
            known = known_head(self.home)
            if known and (known.seq > last.seq or (known.seq == last.seq and known.hash != last.hash)):
                found.append(Rollback(known.seq, known.hash))
            if torn:
                os.ftruncate(handle, os.fstat(handle).st_size - torn)
            return self._write(handle, last, [*found, *bodies]) if found or bodies else []

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        if not self.home.chain.exists():
            raise HomeError(f"{self.home.chain} is missing; restore it from a copy of the home")
        handle = locks.take(self.home.chain)
        try:
            yield handle
        finally:
            os.close(handle)

    def _write(self, handle: int, last: Head | None, bodies: Sequence[Body]) -> list[Entry]:
        head = last or Head(-1, NO_LINE)
        written, lines = [], []
        at_ns = self.clock()
        for body in bodies:
            line = self._line(head, at_ns, body)
            head = Head(head.seq + 1, canonical.sha256(line))
            written.append(Entry(head.seq, at_ns, head.hash, body))
            lines.append(line)
        size = os.fstat(handle).st_size
        try:
            os.lseek(handle, 0, os.SEEK_END)
            write_all(handle, b"".join(lines))
            os.fdatasync(handle)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, size)
            raise StorageError(
                f"cannot append to {self.home.chain}: {error.strerror}; free or repair the disk"
            ) from error
        note_head(head_file(self.home), head)
        return written

    def _line(self, previous: Head, at_ns: int, body: Body) -> bytes:
        fields = seals.to_json(body)
        fields |= {"seq": previous.seq + 1, "prev": previous.hash, "at": to_iso(at_ns)}
        fields["sig"] = self.signer.sign(PURPOSE, canonical.encode(fields))
        return canonical.encode(fields) + b"\n"


def note_head(path: Path, head: Head) -> None:
    """Note a head apart from the lines it is of; a disk that refuses is borne."""
    # Not fsynced: after a power cut an older head is only less sharp, never wrong. Written in place, one
    # fixed-width line, so that it is never found empty. A full disk must not fail what is sealed by now.
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(handle, f"{head.seq:012d}:{head.hash}\n".encode("ascii"), 0)
        finally:
            os.close(handle)


def _head_of(handle: int) -> tuple[Head, int]:
    """The head and the number of torn bytes after it, reading the file from its end."""
    line, torn = last_line(handle)
    if not line:
        raise HomeError("the chain has no whole line; restore chain.jsonl from a copy of the home")
    try:
        fields = canonical.decode(line[:-1])
        return Head(int(fields["seq"]), canonical.sha256(line)), torn
    except (ValueError, KeyError, TypeError) as error:
        raise HomeError(
            f"the last line of the chain {error}; see 'greffier verify' and restore chain.jsonl from a copy"
        ) from None


def last_line(handle: int) -> tuple[bytes, int]:
    """The last whole line of a file, newline included, and how many torn bytes follow; b"" if there is none.

    Reads the file from its end.
    """
    size = os.fstat(handle).st_size
    span = _TAIL_BYTES
    while True:
        tail = os.pread(handle, span, max(0, size - span))
        end = tail.rfind(b"\n") + 1
        start = tail.rfind(b"\n", 0, max(0, end - 1)) + 1
        if (end and start) or span >= size:
            return tail[start:end], len(tail) - end
        span *= 8
