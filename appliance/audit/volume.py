"""The file of the audit chain: where it lies, and the chain under its lock, mended, ready for a line."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from appliance.audit import lines
from appliance.audit.lines import Noted
from appliance.control.messages import Actor
from appliance.control.steps import Ended, Step
from appliance.model.errors import HomeError, StorageError
from appliance.model.instants import DAY_NS, to_iso
from appliance.runtime import locks, ownership
from appliance.runtime.clock import Clock
from appliance.runtime.files import make_folder, sync_folder, write_all, write_once
from appliance.vault import canonical, signing
from appliance.vault.chain import NO_LINE, Head, last_line, note_head, parse_head, split_lines
from appliance.vault.names import Home
from appliance.vault.seals import instant

THE_BOX = Actor("greffier", "box", "box")
"""Who says what the book says of itself."""

NOTHING = Head(-1, NO_LINE)

KEPT_NS, CUT_NS = 365 * DAY_NS, 335 * DAY_NS
"""Logs of an administration are kept for 6 to 12 months (CNIL 2021-122): as soon as a line is 12
months old, all those go that are 11 months old, so that the book says so 12 times a year and not each day."""


def path_of(home: Home) -> Path:
    """The file of the chain."""
    return home.path / "audit" / "chain.jsonl"


def head_file(home: Home) -> Path:
    """Where the last known head is noted, apart from the chain, so that a shortened chain is noticed."""
    return home.state / "audit-head"


def known_head(home: Home) -> Head | None:
    """The head noted in the state folder; None if there is none that can be read."""
    try:
        return parse_head(head_file(home).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def content(home: Home) -> bytes:
    """The bytes of the chain, b"" if nothing was ever noted. Raises HomeError."""
    try:
        return path_of(home).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise HomeError(f"cannot read {path_of(home)}: {error.strerror}; check who owns it") from error


def head(home: Home) -> Head:
    """The last whole line of the chain; number -1 if there is none. Raises HomeError."""
    try:
        handle = os.open(path_of(home), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        raise HomeError(f"cannot read {path_of(home)}: {error.strerror}; check who owns it") from error
    try:
        line, _ = last_line(handle)
    finally:
        os.close(handle)
    return _head_of(home, line) if line else NOTHING


class Volume:
    """The chain under its lock, its torn end cut off and a lost head stated."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._signer = signing.load(home.signing_key)
        self._handle = -1
        self._lock = -1
        self._head = NOTHING

    def __enter__(self) -> "Volume":
        lock = self._home.state / "audit.lock"
        self._lock = locks.take(lock)
        try:
            self._own(lock)
            self._open()
            self._mend()
        except BaseException:  # an interrupt too: the lock of a book that did not open keeps everybody out
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for handle in (self._handle, self._lock):
            if handle >= 0:
                os.close(handle)
        self._handle = self._lock = -1

    def append(
        self, actor: Actor, step: Step, subject: str, details: Mapping[str, str], ended: Ended
    ) -> Noted:
        at_ns = self._clock()
        line = lines.compose(self._signer, self._head, at_ns, actor, step, subject, details, ended)
        size = os.fstat(self._handle).st_size
        try:
            os.lseek(self._handle, 0, os.SEEK_END)
            write_all(self._handle, line)
            os.fdatasync(self._handle)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, size)
            raise _refused(self._home, error) from error
        self._head = Head(self._head.seq + 1, canonical.sha256(line))
        note_head(head_file(self._home), self._head)
        self._own(head_file(self._home))
        return lines.parse(canonical.decode(line[:-1]), line)

    def shorten(self) -> Noted | None:
        """Write what stays, and the line that says what went, in place of the file."""
        content = os.pread(self._handle, os.fstat(self._handle).st_size, 0)
        whole, _ = split_lines(content)
        now_ns = self._clock()
        if not whole or _at(whole[0]) >= now_ns - KEPT_NS:
            return None
        left = next((n for n, line in enumerate(whole) if _at(line) >= now_ns - CUT_NS), len(whole))
        before = canonical.sha256(whole[left - 1])
        went = {"lines": str(left), "before": to_iso(now_ns - CUT_NS), "prev": before}
        line = lines.compose(
            self._signer, self._head, now_ns, THE_BOX, Step.BOOK_SHORTENED, "", went, Ended.DONE
        )
        path = path_of(self._home)
        write_once(path, b"".join([*whole[left:], line]))
        self._own(path)
        self._head = Head(self._head.seq + 1, canonical.sha256(line))
        note_head(head_file(self._home), self._head)
        return lines.parse(canonical.decode(line[:-1]), line)

    def _open(self) -> None:
        path = path_of(self._home)
        try:
            new = not path.exists()
            make_folder(path.parent)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if new:
                sync_folder(path.parent)
                self._own(path.parent)
                self._own(path)
        except OSError as error:
            raise _refused(self._home, error) from error

    def _own(self, path: Path) -> None:
        """What root makes belongs to whom the home belongs to: the keeper, who goes on with it."""
        ownership.as_of(self._home.path, path)

    def _mend(self) -> None:
        """Go on after the last whole line; state what a power cut tore and what somebody took away."""
        last, torn = last_line(self._handle)
        self._head = _head_of(self._home, last) if last else NOTHING
        known = known_head(self._home)
        if torn:
            os.ftruncate(self._handle, os.fstat(self._handle).st_size - torn)
            self.append(THE_BOX, Step.BOOK_REPAIRED, "", {"cut_bytes": str(torn)}, Ended.DONE)
        if known and (
            known.seq > self._head.seq or (known.seq == self._head.seq and known.hash != self._head.hash)
        ):
            lost = {"lost_seq": str(known.seq), "lost_hash": known.hash}
            self.append(THE_BOX, Step.BOOK_CUT, "", lost, Ended.DONE)


def _head_of(home: Home, line: bytes) -> Head:
    try:
        return Head(int(canonical.decode(line[:-1])["seq"]), canonical.sha256(line))
    except (ValueError, KeyError, TypeError) as error:
        raise HomeError(
            f"the last line of {path_of(home)} {error}; see 'greffier verify' and restore it from a copy"
        ) from None


def _at(line: bytes) -> int:
    try:
        return instant(canonical.decode(line[:-1])["at"])
    except (ValueError, KeyError, TypeError) as error:
        raise HomeError(f"a line of the audit chain {error}; see 'greffier verify'") from None


def _refused(home: Home, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write to {path_of(home)}: {error.strerror}; nothing was done that must be written down "
        "there; free or repair the disk"
    )
