"""Checks one site of a central: receipts without a gap, every object re-read, the chain, keys, holds."""

from collections.abc import Callable, Iterable, Sequence

from peewee import JOIN, fn

from appliance.central import object_check, objects, sites
from appliance.central.findings import Findings, pages
from appliance.central.hold_check import check_holds
from appliance.central.object_check import Faulty
from appliance.central.places import Central
from appliance.central.proofs import ProvenLine
from appliance.central.standing_check import check_keys, check_standing
from appliance.central.tables import Fixed, Line, Site, Stored
from appliance.replication import names
from appliance.replication.receipts import NO_RECEIPT
from appliance.vault import signing
from appliance.vault.chain import NO_LINE
from appliance.vault.seals import Hold, HoldEnded, Seal, kind_of


class SiteCheck:
    """One pass over one site. `told` hears how many bytes were read."""

    def __init__(self, central: Central, site: Site, findings: Findings, told: Callable[[int], None]) -> None:
        self._central = central
        self._database = central.database
        self._site = site
        self._findings = findings
        self._told = told
        self._place = f"site {site.fingerprint[:16]}"
        self._previous: str | None = NO_RECEIPT
        self._sequence = 0
        self._holds: list[Hold | HoldEnded] = []

    def run(self) -> None:
        """Everything that can be said of the site without a custodian."""
        site = self._site
        if (
            not signing.is_public_key(site.public_key)
            or signing.fingerprint(site.public_key) != site.fingerprint
        ):
            self._findings.fault(self._place, "has a public key that is not the one of its fingerprint")
            return
        rows = Stored.select().where(Stored.site == site, Stored.sequence <= site.receipts)
        for page in pages(rows, Stored.sequence, self._database):
            lines = [line for row in page if (line := self._check_row(row))]
            self._check_lines(lines)
            check_standing(self._central, site, page, self._findings)
        self._check_end()
        self._check_tree()
        self._check_unwritten_lines()
        self._check_fixed()
        check_keys(self._central, site, self._findings)
        check_holds(self._central, site, self._holds, self._findings)

    def _check_row(self, row: Stored) -> ProvenLine | None:
        """A receipt in its place, the box's signature under it, and the bytes; the line, if it is one."""
        place = self._place_of(row)
        self._check_receipt(row, place)
        if not objects.claim_of(self._site, row).holds(self._site.public_key):
            self._findings.fault(place, "is not what the box signed for")
        self._findings.counts["receipts"] += 1
        if row.state != "kept":
            self._findings.counts[row.state] += 1
            return None
        try:
            line = object_check.inspect(self._central, self._site, row)
        except Faulty as error:
            if object_check.is_kept(self._central, self._site, row):
                self._findings.fault(place, str(error))
            line = None
        self._findings.counts[row.kind] += 1
        self._findings.counts["bytes"] += row.size_bytes
        self._told(row.size_bytes)
        return line

    def _check_receipt(self, row: Stored, place: str) -> None:
        first, last = self._sequence + 1, row.sequence - 1
        if first <= last:
            self._findings.fault(place, f"has no receipts {first} to {last} before it: rows were taken away")
        elif self._previous and bytes(row.previous).hex() != self._previous:
            what = f"does not follow from receipt {row.sequence - 1}: one of the two rows was changed"
            self._findings.fault(place, what)
        self._sequence = row.sequence
        self._previous = objects.receipt_of(self._central.signer, self._site, row).hash

    def _check_end(self) -> None:
        site = self._site
        if self._sequence != site.receipts:
            what = f"ends with receipt {self._sequence}, and {site.receipts} were given: rows were taken away"
            self._findings.fault(self._place, what)
        elif self._previous != site.receipts_head:
            self._findings.fault(self._place, f"does not end with the receipt {site.receipts} that was given")
        later = Stored.select().where(Stored.site == site, Stored.sequence > site.receipts)
        now = Site.select(Site.receipts).where(Site.id == site.id).scalar(self._database)
        if now == site.receipts and later.exists(self._database):
            self._findings.fault(self._place, f"has rows beyond its last receipt, {site.receipts}")

    def _check_lines(self, lines: Sequence[ProvenLine]) -> None:
        """What the catalogue knows of some lines must be what they say."""
        hashes = [line.entry.hash for line in lines]
        known = {
            row.hash: row
            for row in Line.select()
            .where(Line.site == self._site, Line.hash.in_(hashes))
            .execute(self._database)
        }
        fixed: dict[str, set[tuple[str, str, int]]] = {}
        rows = Fixed.select().where(Fixed.site == self._site, Fixed.line.in_(hashes)).execute(self._database)
        for row in rows:
            fixed.setdefault(row.line, set()).add((row.name, bytes(row.sha256).hex(), row.size_bytes))
        for line in lines:
            self._check_line(line, known.get(line.entry.hash), fixed.get(line.entry.hash, set()))

    def _check_line(self, line: ProvenLine, row: Line | None, fixed: set[tuple[str, str, int]]) -> None:
        place = f"{self._place} line {line.entry.seq}"
        said = (line.entry.seq, line.prev, kind_of(line.entry.body))
        if row is None or (row.seq, row.prev, row.kind) != said:
            self._findings.fault(place, "stands in the catalogue's chain not as it lies here")
        if {(fix.name.text, fix.sha256, fix.size_bytes) for fix in line.fixes} != fixed:
            self._findings.fault(place, "fixes other files than the catalogue says")
        match line.entry.body:
            case Hold() | HoldEnded() as body:
                self._holds.append(body)
            case Seal(files=(), replaces=(_, *_)):
                what = "seals no file and names journals as replaced, as no box does; they are kept here"
                self._findings.notice(place, what)

    def _check_tree(self) -> None:
        """Every line rests on another, and what follows twice from one line is named."""
        before = Line.alias()
        here = (before.site == Line.site) & (before.hash == Line.prev)
        query = (
            Line.select(Line.seq, Line.hash, Line.prev, before.seq)
            .join(before, JOIN.LEFT_OUTER, on=here)
            .where(Line.site == self._site, before.seq.is_null() | (before.seq != Line.seq - 1))
            .where(Line.prev != NO_LINE)
            .order_by(Line.seq)
        )
        for seq, digest, prev, _ in query.tuples().iterator(self._database):
            what = f"({digest[:16]}...) follows from a line that is not here ({prev[:16]}...)"
            self._findings.fault(f"{self._place} line {seq}", what)
        forks = (
            Line.select(Line.prev, fn.MIN(Line.seq), fn.COUNT(Line.hash))
            .where(Line.site == self._site)
            .group_by(Line.prev)
            .having(fn.COUNT(Line.hash) > 1)
        )
        for _, seq, count in forks.tuples().iterator(self._database):
            what = f"is there {count} times: the box was put back to line {seq - 1} and went on; all are kept"
            self._findings.notice(f"{self._place} line {seq}", what)

    def _check_unwritten_lines(self) -> None:
        """Lines that the catalogue knows and no object is."""
        for page in pages(Line.select().where(Line.site == self._site), Line.hash, self._database):
            wanted = {names.of_line(row.seq, row.hash): row for row in page}
            for name in wanted.keys() - self._kept(wanted):
                what = f"({wanted[name].hash[:16]}...) is known to the catalogue, and its object is not here"
                self._findings.fault(f"{self._place} line {wanted[name].seq}", what)

    def _check_fixed(self) -> None:
        """Of the files that the chain fixes those that have not come; and rows that no line stands behind."""
        absent, example = 0, ""
        rows = Fixed.select(Fixed.name).where(Fixed.site == self._site).distinct()
        for page in pages(rows, Fixed.name, self._database):
            missing = {row.name for row in page} - self._known({row.name for row in page})
            absent += len(missing)
            example = example or min(missing, default="")
        if absent:
            what = f"{absent} files that its chain fixes have not come, or not yet; one is {example}"
            self._findings.notice(self._place, what)
        line = (Line.site == Fixed.site) & (Line.hash == Fixed.line)
        loose = Fixed.select(Fixed.name).join(Line, JOIN.LEFT_OUTER, on=line)
        loose = loose.where(Fixed.site == self._site, Line.hash.is_null())
        for (name,) in loose.tuples().iterator(self._database):
            self._findings.fault(
                f"{self._place} {name}", "is fixed, says the catalogue, by a line that is not here"
            )

    def _kept(self, wanted: Iterable[str]) -> set[str]:
        ended = self._site.state != sites.ENROLLED
        return self._known(wanted, "" if ended else "kept")

    def _known(self, wanted: Iterable[str], state: str = "") -> set[str]:
        query = Stored.select(Stored.name).where(Stored.site == self._site, Stored.name.in_(list(wanted)))
        if state:
            query = query.where(Stored.state == state)
        return {name for (name,) in query.tuples().execute(self._database)}

    def _place_of(self, row: Stored) -> str:
        return f"{self._place} receipt {row.sequence} ({row.name})"
