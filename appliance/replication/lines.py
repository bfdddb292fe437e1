"""The chain as objects: its lines, and the living files that they fix. Read on from where it was left."""

import datetime as dt
import json
import os
from pathlib import Path

from appliance.model.errors import HomeError
from appliance.replication import names
from appliance.replication.missing import Item, Urgency
from appliance.runtime import locks
from appliance.vault import canonical
from appliance.vault import chain as chains
from appliance.vault.chain import Entry
from appliance.vault.names import Home
from appliance.vault.seals import (
    Adoption,
    Destroyed,
    DestructionOrdered,
    EnvelopeMade,
    Seal,
    StoredFile,
)


class ChainItems:
    """What the chain of a home says is to be sent; `refresh` reads what was appended since.

    `ended` are keys whose destruction has at least begun, `replaced` journal files (without folder) that
    segments have replaced. `fault` says in words why the chain cannot be read to its end.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._forget()

    def _forget(self) -> None:
        self.lines: list[Item] = []
        self.items: dict[str, Item] = {}
        self.replaced: set[str] = set()
        self.ended: set[str] = set()
        self.fault: str | None = None
        self._of_key: dict[str, list[str]] = {}
        self._end = 0
        self._seen: tuple[int, int, int] = (0, 0, 0)

    def refresh(self) -> bool:
        """Read what is new; whether there was anything. Raises HomeError if there is no chain."""
        path = self._home.chain
        try:
            if self._look(path) == self._seen:
                return False
            # Under the lock no append is half done, and what was read is on the disk before it is sent.
            with locks.shared(path), path.open("rb") as file:
                os.fdatasync(file.fileno())
                seen = self._look(path)
                begun_anew = not self._continues(file.fileno(), seen)
                if begun_anew:
                    self._forget()
                file.seek(self._end)
                content = file.read()
        except OSError as error:
            raise HomeError(f"cannot read {path}: {error.strerror}; restore it from a copy") from error
        before = len(self.lines)
        self._take(content)
        self._seen = seen
        return begun_anew or len(self.lines) > before

    @staticmethod
    def _look(path: Path) -> tuple[int, int, int]:
        known = path.stat()
        return known.st_ino, known.st_size, known.st_mtime_ns

    def _continues(self, handle: int, seen: tuple[int, int, int]) -> bool:
        """Whether the file is still the one read before, with more behind it at most."""
        if not self.lines or seen[1] < self._end:
            return not self.lines
        last = self.lines[-1]
        return last.sha256 == canonical.sha256(os.pread(handle, last.size_bytes, last.offset))

    def _take(self, content: bytes) -> None:
        self.fault = None
        for line in chains.split_lines(content)[0]:
            try:
                self._add(_entry(line, len(self.lines)), len(line))
            except (ValueError, AttributeError) as error:
                where = f"{self._home.chain} line {len(self.lines) + 1}"
                self.fault = f"{where} {error}; what follows it is not sent: see 'greffier verify'"
                return
            self._end += len(line)

    def _add(self, entry: Entry, size_bytes: int) -> None:
        name = names.of_line(entry.seq, entry.hash)
        line = Item(name, Urgency.LINE, entry.at_ns, size_bytes, entry.hash, None, entry.seq, self._end)
        self.lines.append(line)
        self.items[name] = line
        match entry.body:
            case EnvelopeMade() as made:
                self._fix(entry, Urgency.ENVELOPE, f"envelopes/{made.vault}/{made.day}", made, made.file)
            case Seal(day=dt.date()) as seal:
                for file in seal.files:
                    self._fix(entry, Urgency.BULK, f"segments/{seal.vault}/{seal.day}", seal, file)
                self.replaced.update(seal.replaces)
            case Seal() as seal:
                self.replaced.update(seal.replaces)
            case Adoption() as left:
                self._fix(entry, Urgency.BULK, f"journal/{left.vault}/{left.day}", left, left.file)
            case DestructionOrdered(key_ids=key_ids) | Destroyed(key_ids=key_ids):
                for key_id in key_ids:
                    self.ended.add(key_id)
                    for gone in self._of_key.pop(key_id, ()):
                        self.items.pop(gone, None)

    def _fix(
        self,
        entry: Entry,
        urgency: Urgency,
        folder: str,
        body: EnvelopeMade | Seal | Adoption,
        file: StoredFile,
    ) -> None:
        if body.key_id is None or body.key_id in self.ended:
            return
        name = f"{folder}/{file.name}"
        self.items[name] = Item(name, urgency, entry.at_ns, file.size_bytes, file.sha256, body.day, entry.seq)
        self._of_key.setdefault(body.key_id, []).append(name)


def _entry(line: bytes, number: int) -> Entry:
    entry = chains.entry(json.loads(line), line)
    if entry.seq != number:
        raise ValueError("has not the number of its place")
    return entry
