"""What a line of a chain says of other objects, as rows: files that it fixes, journals it makes needless.

Everything here runs inside the transaction that gives the line, or the file, its receipt.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from peewee import JOIN, chunked

from appliance.central.ledger import Ledger
from appliance.central.objects import path_of
from appliance.central.places import Central
from appliance.central.proofs import ProvenLine
from appliance.central.refusals import Unproven
from appliance.central.statements import Statement
from appliance.central.tables import Erasure, Fixed, Key, Line, Replacement, Site, Stored
from appliance.model.instants import to_iso
from appliance.replication import names
from appliance.replication.claims import Claim
from appliance.replication.names import Kind, ObjectName
from appliance.replication.targets import TooEarly
from appliance.vault import journal
from appliance.vault.chain import NO_LINE
from appliance.vault.seals import EnvelopeMade, Seal, kind_of

_ROWS = 500
_LINES_OF_A_SEAL = 1000
"""A seal has a line for each day of its rows, which are of years where captures are replayed."""

_FIXED = Statement(
    lambda _, mark: Fixed.select(Fixed.sha256, Fixed.size_bytes).where(Fixed.site == mark, Fixed.name == mark)
)
_REPLACING = Statement(
    lambda _, mark: Replacement.select(Replacement.line).where(
        Replacement.site == mark, Replacement.journal == mark
    )
)


def check_predecessor(central: Central, site: Site, line: ProvenLine) -> None:
    """A line rests on the one before it. Raises TooEarly, and Unproven if that has not the number before."""
    if line.prev == NO_LINE:
        return
    found = (
        Line.select(Line.seq)
        .where(Line.site == site, Line.hash == line.prev)
        .tuples()
        .first(central.database)
    )
    if found is None:
        raise TooEarly(
            f"line {line.entry.seq} follows from one that central has not got yet; send that first"
        )
    if found[0] != line.entry.seq - 1:
        raise Unproven(f"line {line.entry.seq} follows from line {found[0]}; nothing was stored")


def check_fixed(central: Central, site: Site, name: ObjectName, claim: Claim) -> None:
    """A file must be what a line fixes, if one does; a segment rests on its line. TooEarly, Unproven."""
    rows = _FIXED.all(central.database, site.id, name.text)
    said = [(bytes(digest).hex(), size) for digest, size in rows]
    if said and (claim.sha256, claim.size_bytes) not in said:
        raise Unproven(f"{name} is not the file that the chain fixes; nothing was stored")
    if not said and name.kind is Kind.SEGMENT:
        raise TooEarly(f"central has not got the line that seals {name} yet; send that first")


def follow(central: Central, ledger: Ledger, site: Site, line: ProvenLine) -> None:
    """Keep what a line says; a fork, and a stored file that is not as the line says, are events."""
    _keep_line(central, ledger, site, line)
    _fix(central, ledger, site, line)
    match line.entry.body:
        case EnvelopeMade(vault=vault, day=day, key_id=key_id):
            values = {"site": site, "key_id": key_id, "vault": vault, "day": day, "state": "announced"}
            Key.insert(values).on_conflict_ignore().execute(central.database)
        case Seal() if line.needless:
            _close_seal(central, site, line)
        case _:
            pass


def needless(central: Central, site: Site, name: str) -> bool:
    """Whether a seal replaces this journal and every file of it is stored.

    Of several seals that claim it all must be whole: whoever has box.key can sign one that holds nothing.
    What an adoption fixes is all there is of a run that died, and nothing replaces it.
    """
    seals = [seal for (seal,) in _REPLACING.all(central.database, site.id, name)]
    if not seals or _FIXED.all(central.database, site.id, name):
        return False
    return not _unfinished(central, site, seals)


def seals_of(central: Central, site: Site, segment: str) -> list[str]:
    """The last lines of the seals that a segment's file belongs to, as far as they have come."""
    query = Fixed.select(Fixed.seal).where(
        Fixed.site == site, Fixed.name == segment, Fixed.seal.is_null(False)
    )
    return [seal for (seal,) in query.tuples().execute(central.database)]


def replace(central: Central, site: Site, seals: Sequence[str]) -> list[str]:
    """Let go of the journals that whole seals replace, as `needless`; the paths in the store to erase."""
    paths: list[str] = []
    for seal in seals:
        if _unfinished(central, site, [seal]):
            continue
        gone = _let_go(central, site, seal)
        for some in chunked(gone, _ROWS):
            found = [path_of(site.fingerprint, name, bytes(sha256).hex()) for name, sha256 in some]
            _insert(central, Erasure, [{"path": path} for path in found])
            mine = (Stored.site == site) & Stored.name.in_([name for name, _ in some])
            Stored.update(state="replaced").where(mine).execute(central.database)
            paths += found
    return paths


def _let_go(central: Central, site: Site, seal: str) -> list[tuple[str, bytes]]:
    """The kept journals (name, hash) of a whole seal that no other seal waits for and no adoption fixes."""
    fixed = (Fixed.site == Stored.site) & (Fixed.name == Stored.name)
    claimed = (Replacement.site == Stored.site) & (Replacement.journal == Stored.name)
    mine = (
        Stored.select(Stored.name, Stored.sha256)
        .join(Replacement, on=claimed)
        .join(Fixed, JOIN.LEFT_OUTER, on=fixed)
        .where(Replacement.site == site, Replacement.line == seal, Stored.state == "kept")
        .where(Fixed.name.is_null())
    )
    journals = {name: bytes(sha256) for name, sha256 in mine.tuples().execute(central.database)}
    claims = list(_chosen(central, Replacement, ("journal", "line"), site, list(journals)))
    others = sorted({line for _, line in claims if line != seal})
    waiting = _unfinished(central, site, others)
    for name in {name for name, line in claims if line in waiting}:
        del journals[name]
    return list(journals.items())


def _keep_line(central: Central, ledger: Ledger, site: Site, line: ProvenLine) -> None:
    entry = line.entry
    beside = Line.select(Line.hash).where(
        Line.site == site, Line.seq == entry.seq, Line.prev == line.prev, Line.hash != entry.hash
    )
    for (other,) in beside.limit(1).tuples().execute(central.database):
        once = f"fork {site.fingerprint} {entry.hash}"
        ledger.append("fork", site.fingerprint, once, number=entry.seq, line=entry.hash, beside=other)
    Line.insert(
        site=site,
        hash=entry.hash,
        seq=entry.seq,
        prev=line.prev,
        kind=kind_of(entry.body),
        open_seal=_open_seal(line),
    ).execute(central.database)


def _fix(central: Central, ledger: Ledger, site: Site, line: ProvenLine) -> None:
    rows = [
        {
            "site": site,
            "name": fixing.name.text,
            "sha256": bytes.fromhex(fixing.sha256),
            "size_bytes": fixing.size_bytes,
            "line": line.entry.hash,
        }
        for fixing in line.fixes
    ]
    _insert(central, Fixed, rows)
    fixed = {fixing.name.text: fixing.sha256 for fixing in line.fixes}
    for name, sha256 in _chosen(central, Stored, ("name", "sha256"), site, list(fixed)):
        stored = bytes(sha256).hex()
        if stored != fixed[name]:
            once = f"mismatch {site.fingerprint} {line.entry.hash} {name}"
            said = {"name": name, "stored": stored, "fixed": fixed[name], "line": line.entry.hash}
            ledger.append("mismatch", site.fingerprint, once, **said)


def _open_seal(line: ProvenLine) -> str | None:
    """What the lines of one seal share until its last, which bears what it replaces and its coverage."""
    match line.entry.body:
        case Seal(vault=vault, run=run, replaces=(), coverage=(), files=(_, *_)):
            return f"{vault} {run} {to_iso(line.entry.at_ns)}"
        case _:
            return None


def _close_seal(central: Central, site: Site, line: ProvenLine) -> None:
    """Say of every file of a seal, also those of its earlier lines, which line speaks for all.

    A seal without files holds no row, so it replaces nothing, whatever it names; nor does a seal replace
    what another run wrote.
    """
    body, last = line.entry.body, line.entry.hash
    assert isinstance(body, Seal)
    if not body.files:
        return
    earlier = _earlier(central, site, line, f"{body.vault} {body.run} {to_iso(line.entry.at_ns)}")
    if len(earlier) > _LINES_OF_A_SEAL:
        return  # nothing is let go for a seal that no box writes
    for some in chunked([last, *earlier], _ROWS):
        Fixed.update(seal=last).where(Fixed.site == site, Fixed.line.in_(some)).execute(central.database)
    own = [file for file in line.needless if journal.run_of(file) == body.run]
    journals = _journals(central, site, str(body.vault), own)
    _insert(central, Replacement, [{"site": site, "journal": name, "line": last} for name in journals])


def _earlier(central: Central, site: Site, line: ProvenLine, together: str) -> list[str]:
    """The lines right before a seal's last that are of the same seal: one query, however many they are.

    More than a seal has stand for too many, also where forks make them so.
    """
    seq = line.entry.seq
    near = Line.select(Line.hash, Line.prev).where(
        Line.site == site, Line.seq.between(seq - _LINES_OF_A_SEAL - 1, seq - 1), Line.open_seal == together
    )
    rows = near.limit(2 * _LINES_OF_A_SEAL + 1).tuples()
    before = dict(rows.execute(central.database))
    if len(before) > 2 * _LINES_OF_A_SEAL:
        return list(before)
    found, at = [], line.prev
    while at in before:
        found.append(at)
        at = before[at]
    return found


def _journals(central: Central, site: Site, vault: str, files: Sequence[str]) -> list[str]:
    """The names of the objects that journal files are: a key, announced before, tells its day."""
    keys = {file: names.parse(f"{Kind.JOURNAL}/{vault}/2000-01-01/{file}").key_id for file in files}
    wanted = sorted({key_id for key_id in keys.values() if key_id})
    days = {
        key_id: day.isoformat()
        for key_id, of_vault, day in _chosen(central, Key, ("key_id", "vault", "day"), site, wanted)
        if of_vault == vault
    }
    return [f"{Kind.JOURNAL}/{vault}/{days[key]}/{file}" for file, key in keys.items() if key in days]


def _chosen(
    central: Central, model: Any, columns: tuple[str, ...], site: Site, values: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """These columns of a site's rows whose first column is one of some values."""
    fields = [getattr(model, column) for column in columns]
    for some in chunked(values, _ROWS):
        query = model.select(*fields).where(model.site == site, fields[0].in_(some))
        yield from list(query.tuples().execute(central.database))


def _unfinished(central: Central, site: Site, seals: Sequence[str]) -> set[str]:
    """Those of some seals of which a file has not come."""
    here = (Stored.site == Fixed.site) & (Stored.name == Fixed.name)
    missing = Fixed.select(Fixed.seal).distinct().join(Stored, JOIN.LEFT_OUTER, on=here)
    missing = missing.where(Fixed.site == site, Stored.name.is_null())
    return {
        seal
        for some in chunked(seals, _ROWS)
        for (seal,) in missing.where(Fixed.seal.in_(some)).tuples().execute(central.database)
    }


def _insert(central: Central, model: Any, rows: list[dict[str, Any]]) -> None:
    for some in chunked(rows, _ROWS):
        model.insert_many(some).on_conflict_ignore().execute(central.database)
