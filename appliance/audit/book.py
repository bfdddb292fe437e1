"""The audit chain of a home: every privileged step as a signed line that names the hash of the one before.

It is written before the step is taken: what cannot be written down is not done. It holds no record, only
who did what, from where, to which thing. `audit.check` proves it, `audit.anchors` ties it to the seals.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from appliance.audit import lines
from appliance.audit.lines import Noted
from appliance.control.messages import Actor
from appliance.control.steps import Ended, Step
from appliance.model.errors import HomeError, StorageError
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import make_folder, sync_folder, write_all
from appliance.vault import canonical, signing
from appliance.vault.chain import NO_LINE, Head, last_line, note_head, parse_head
from appliance.vault.names import Home

THE_BOX = Actor("greffier", "box", "box")
"""Who says what the book says of itself."""

NOTHING = Head(-1, NO_LINE)


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


def note(
    home: Home,
    actor: Actor,
    step: Step,
    subject: str = "",
    details: Mapping[str, str] | None = None,
    outcome: Ended = Ended.DONE,
    clock: Clock = now_ns,
) -> Noted:
    """Write a step down, durable on return. Texts are made printable and cut to 512 letters.

    Raises HomeError without box.key or a readable end of the chain, StorageError; nothing is written then,
    and the step must not be taken.
    """
    with _Book(home, clock) as book:
        return book.append(actor, step, subject, details or {}, outcome)


@contextlib.contextmanager
def noted(
    home: Home,
    actor: Actor,
    step: Step,
    subject: str = "",
    details: Mapping[str, str] | None = None,
    clock: Clock = now_ns,
) -> Iterator[Noted]:
    """Write a step down, then let it be taken; if it raises, a second line says that it failed.

    The second line tells only the kind of the error: its sentence may hold what no log may.
    """
    line = note(home, actor, step, subject, details, Ended.DONE, clock)
    try:
        yield line
    except BaseException as error:
        with contextlib.suppress(HomeError, StorageError):  # the error of the step is what must be told
            failed = {"line": str(line.seq), "error": type(error).__name__}
            note(home, actor, step, subject, failed, Ended.FAILED, clock)
        raise


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


class _Book:
    """The chain under its lock, its torn end cut off and a lost head stated."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._signer = signing.load(home.signing_key)
        self._handle = -1
        self._lock = -1
        self._head = NOTHING

    def __enter__(self) -> "_Book":
        lock = self._home.state / "audit.lock"
        self._lock = locks.take(lock)
        try:
            self._own(lock)
            self._open()
            self._mend()
        except BaseException:
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
        if os.geteuid() == 0:
            home = self._home.path.stat()
            with contextlib.suppress(OSError):
                os.chown(path, home.st_uid, home.st_gid)

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


def _refused(home: Home, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write to {path_of(home)}: {error.strerror}; nothing was done that must be written down "
        "there; free or repair the disk"
    )
