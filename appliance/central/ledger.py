"""The ledger: central's own signed, append-only account of what happened, so that it can be shown later.

A line is canonical JSON: `seq` from 1, `prev` (SHA-256 of the line before it with a newline, 64 zeros in the
first), `at`, `kind`, `site` (a fingerprint, or empty), what belongs to the kind, and `sig` by central's key
over the rest. Nothing in it names a person but an operator by his key.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.central.databases import locking, writing
from appliance.central.places import Central
from appliance.central.tables import About, Event
from appliance.model.instants import to_iso
from appliance.runtime.clock import Clock, now_ns
from appliance.vault import canonical, signing
from appliance.vault.chain_check import Fault
from appliance.vault.seals import instant

PURPOSE = b"greffier ledger 1"
_OWN = {"seq", "prev", "at", "kind", "site", "sig"}


@dataclass(frozen=True)
class Entry:
    """One line: `fields` are those of its kind."""

    seq: int
    at_ns: int
    kind: str
    site: str
    fields: Mapping[str, Any]
    line: str


class Ledger:
    """The ledger of one central. Any number of processes append to it."""

    def __init__(self, central: Central, clock: Clock = now_ns) -> None:
        self._central = central
        self._database = central.database
        self._clock = clock

    def append(self, kind: str, site: str = "", once: str | None = None, **fields: Any) -> bool:
        """Sign and append a line; false, and nothing is appended, if one was appended with this `once`.

        Inside a caller's transaction it is part of it; otherwise it is durable on return. Whoever locks a
        site's row does so before. `fields` hold what JSON can: texts, whole numbers, lists and objects.
        """
        if reserved := fields.keys() & _OWN:
            raise ValueError(f"a line of the ledger has its own {', '.join(sorted(reserved))}")
        with writing(self._database):
            head = self._locked_head()
            if once is not None and self._has(once):
                return False
            self._write(head, kind, site, once, fields)
        return True

    def entries(self) -> Iterator[Entry]:
        """Every line, in order, unchecked. Raises ValueError at one that is none."""
        for row in Event.select(Event.line).order_by(Event.seq).iterator(self._database):
            yield _entry(row.line)

    def newest(self, since_ns: int) -> Iterator[Entry]:
        """The lines written since an instant, the newest first, unchecked. Raises ValueError at none."""
        query = Event.select(Event.line).where(Event.at_ns >= since_ns).order_by(Event.seq.desc())
        for row in query.iterator(self._database):
            yield _entry(row.line)

    def check(self) -> list[Fault]:
        """Every place where the ledger is not as it was signed; empty if it is whole."""
        faults: list[Fault] = []
        seq, previous = 0, "0" * 64
        for row in Event.select().order_by(Event.seq).iterator(self._database):
            seq += 1
            place = f"ledger line {seq}"
            faults += [Fault(place, what) for what in self._wrong(row, seq, previous)]
            previous = _hash(row.line)
        noted = About.select().where(About.key == "ledger").get(self._database).value
        if noted != f"{seq}:{previous}":
            faults.append(Fault("ledger", f"ends at line {seq}, but the catalogue remembers {noted[:16]}..."))
        return faults

    def _locked_head(self) -> tuple[int, str]:
        query = locking(self._database, About.select().where(About.key == "ledger"))
        seq, _, digest = query.get(self._database).value.partition(":")
        return int(seq), digest

    def _has(self, once: str) -> bool:
        return Event.select(Event.seq).where(Event.once == once).exists(self._database)

    def _write(
        self, head: tuple[int, str], kind: str, site: str, once: str | None, fields: Mapping[str, Any]
    ) -> None:
        at_ns, seq = self._clock(), head[0] + 1
        said = {**fields, "seq": seq, "prev": head[1], "at": to_iso(at_ns), "kind": kind, "site": site}
        said["sig"] = self._central.signer.sign(PURPOSE, canonical.encode(said))
        line = canonical.encode(said).decode("ascii")
        Event.insert(seq=seq, at_ns=at_ns, kind=kind, site=site, once=once, line=line).execute(self._database)
        About.update(value=f"{seq}:{_hash(line)}").where(About.key == "ledger").execute(self._database)

    def _wrong(self, row: Event, seq: int, previous: str) -> list[str]:
        try:
            fields = canonical.decode(row.line.encode("ascii"))
            entry = _entry(row.line)
        except (ValueError, KeyError, TypeError):
            return ["is not a line of a ledger"]
        wrong = []
        if (row.seq, entry.seq) != (seq, seq):
            wrong.append(f"has the number {entry.seq}: lines were added, taken away or reordered")
        if fields.get("prev") != previous:
            wrong.append("does not follow from the line before it")
        if (row.at_ns, row.kind, row.site) != (entry.at_ns, entry.kind, entry.site):
            wrong.append("stands in the catalogue under another time, kind or site than it says")
        signature, box = str(fields.pop("sig", "")), self._central.signer.box
        if not signing.holds(box, PURPOSE, canonical.encode(fields), signature):
            wrong.append("is not signed by this central")
        return wrong


def _entry(line: str) -> Entry:
    fields = canonical.decode(line.encode("ascii"))
    rest = {key: value for key, value in fields.items() if key not in _OWN}
    return Entry(fields["seq"], instant(fields["at"]), fields["kind"], fields["site"], rest, line)


def _hash(line: str) -> str:
    return canonical.sha256(line.encode("utf-8", "replace") + b"\n")
