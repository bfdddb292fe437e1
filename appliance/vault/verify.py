"""Re-reads a whole home and says every place where it is not as it was sealed. Needs no custodian."""

import datetime as dt
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.config import box
from appliance.model.errors import HomeError
from appliance.runtime import locks
from appliance.vault import canonical, chain, chain_check, envelopes, journal, liveness, signing
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Entry, Head
from appliance.vault.chain_check import CheckedChain, Fault, place
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import Adoption, EnvelopeMade, Seal, StoredFile

Progress = Callable[[int, int], None]
"""Told (bytes read, bytes to read)."""

_ROOMS = ("envelopes", "segments", "journal")
_NOT_SEALED = (
    "audit", "classify", "inventory", "legal.toml", "listen", "replication", "run", "sources.toml", "state",
    "statistics",
)  # fmt: skip
"""What no seal fixes: who did what (a chain of its own), a box's own tables of categories, the devices of its
site, what the operator confirmed of the law (it stands in that chain), its certificate, what centrals signed
for (they fix it themselves), sockets of who runs now, who may speak, how recorders stand, totals that name
nobody."""

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Report:
    """What verify found. `notices` are worth knowing and no fault; `counts` what was checked."""

    box: str
    head: Head
    faults: tuple[Fault, ...]
    notices: tuple[Fault, ...]
    counts: Counter[str]


@dataclass(frozen=True)
class _Expected:
    """A file that the chain fixes: where, what, by which line, under which key."""

    path: Path
    file: StoredFile
    seq: int
    key_id: str
    envelope: EnvelopeMade | None = None


@dataclass
class _Findings:
    faults: list[Fault] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def verify(
    home: Home, known_head: Head | None = None, progress: Progress = lambda done, total: None
) -> Report:
    """Check settings, chain, envelopes, segments and journal. `known_head` was noted elsewhere, earlier.

    A recorder may be at work meanwhile: files are listed first and the chain read after, so that what
    it writes in between is known. Raises HomeError only if there is nothing to check.
    """
    with locks.shared(home.state / "retention.lock"):
        present = _present(home)
        noted = chain.known_head(home)
        content = chain.content(home)
        findings = _Findings()
        checked = chain_check.check(content, noted, known_head, _own_box(home, findings))
        findings.faults += checked.faults
        findings.notices += checked.notices
        catalogue = Catalogue.of(checked.entries)
        _check_settings(home, catalogue, findings)
        expected = _expected(home, checked, findings)
        _check_files(home, expected, checked.box, catalogue, findings, progress)
        _check_unknown(home, present - expected.keys(), catalogue, findings)
    findings.counts["lines"] = len(checked.entries)
    findings.counts["rows"] = sum(
        seal.rows for seal in catalogue.seals if seal.key_id not in catalogue.destroyed
    )
    findings.counts["certificates"] = len(catalogue.certificates)
    fingerprint = signing.fingerprint(checked.box) if checked.box else ""
    return Report(fingerprint, checked.head, tuple(findings.faults), tuple(findings.notices), findings.counts)


def _present(home: Home) -> set[Path]:
    """Everything in the home but folders and what lies in those that no seal fixes."""
    found = {Path(entry.path) for entry in os.scandir(home.path) if entry.name not in (*_ROOMS, *_NOT_SEALED)}
    for room in _ROOMS:
        for folder, folders, names in os.walk(home.path / room):
            found.update(Path(folder, name) for name in names)
            found.update(path for name in folders if (path := Path(folder, name)).is_symlink())
    return found - {home.config, home.signing_key, home.chain}


def _own_box(home: Home, findings: _Findings) -> str | None:
    if not home.signing_key.exists():
        findings.notices.append(Fault("box.key", "is not here: this home can be checked but not continued"))
        return None
    try:
        return signing.load(home.signing_key).box
    except HomeError as error:
        findings.faults.append(Fault("box.key", str(error)))
        return None


def _check_settings(home: Home, catalogue: Catalogue, findings: _Findings) -> None:
    try:
        config = box.read(home.config)
    except HomeError as error:
        findings.faults.append(Fault("box.toml", str(error)))
        return
    stated = catalogue.custodians
    if stated and stated[-1][1:] != (config.custodians, config.quorum):
        what = "names other custodians than the chain: the next start will state them and encrypt to them"
        findings.notices.append(Fault("box.toml", what))


def _expected(home: Home, checked: CheckedChain, findings: _Findings) -> dict[Path, _Expected]:
    """Every file the chain fixes, by path; contradictions between lines are faults."""
    expected: dict[Path, _Expected] = {}
    drawn: dict[str, tuple[VaultName, dt.date | None]] = {}
    for entry in checked.entries:
        for item in _fixed_by(home, entry):
            if item.path in expected:
                findings.faults.append(Fault(place(entry.seq), f"fixes {item.file.name} a second time"))
            expected[item.path] = item
        match entry.body:
            case EnvelopeMade() as made:
                drawn[made.key_id] = (made.vault, made.day)
            case (Seal(key_id=str() as key_id) | Adoption(key_id=key_id)) as body:
                if drawn.get(key_id) != (body.vault, body.day):
                    what = f"uses the key {key_id}, for which no envelope of {body.vault} {body.day} was made"
                    findings.faults.append(Fault(place(entry.seq), what))
    return expected


def _fixed_by(home: Home, entry: Entry) -> Iterator[_Expected]:
    match entry.body:
        case EnvelopeMade() as made:
            path = home.envelopes(made.vault, made.day) / made.file.name
            yield _Expected(path, made.file, entry.seq, made.key_id, made)
        case Seal(vault=vault, day=dt.date() as day, key_id=str() as key_id, files=files):
            for file in files:
                yield _Expected(home.segments(vault, day) / file.name, file, entry.seq, key_id)
        case Adoption(vault=vault, day=day, key_id=key_id, file=file):
            yield _Expected(home.journal(vault, day) / file.name, file, entry.seq, key_id)


def _check_files(
    home: Home,
    expected: dict[Path, _Expected],
    box_key: str,
    catalogue: Catalogue,
    findings: _Findings,
    progress: Progress,
) -> None:
    total = sum(item.file.size_bytes for item in expected.values())
    done = 0
    for path, item in expected.items():
        where = str(path.relative_to(home.path))
        if item.key_id in catalogue.destroyed:
            if path.exists():
                what = "is here again after its destruction; 'greffier retention' removes it"
                findings.faults.append(Fault(where, what))
        elif item.key_id in catalogue.ordered:
            what = "belongs to a destruction not yet finished; 'greffier retention' finishes it"
            findings.notices.append(Fault(where, what))
        else:
            wrong = _compare(path, item) or _check_envelope(path, item, box_key, catalogue)
            if wrong:
                findings.faults.append(Fault(where, wrong))
            findings.counts[where.partition("/")[0]] += 1
            findings.counts["bytes"] += item.file.size_bytes
        done += item.file.size_bytes
        progress(done, total)


def _compare(path: Path, item: _Expected) -> str | None:
    digest = hashlib.sha256()
    size = 0
    try:
        if path.is_symlink():
            return f"is a link, not the file that {place(item.seq)} fixes"
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        return f"is missing; {place(item.seq)} fixes it"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if size != item.file.size_bytes:
        return f"has {size} bytes, {place(item.seq)} says {item.file.size_bytes}"
    if digest.hexdigest() != item.file.sha256:
        return f"was changed: its bytes are not those that {place(item.seq)} fixes"
    return None


def _check_envelope(path: Path, item: _Expected, box_key: str, catalogue: Catalogue) -> str | None:
    """An envelope must be the box's, of its day, and for custodians that the chain had named before."""
    made = item.envelope
    if made is None or not box_key:
        return None
    try:
        envelope = envelopes.parse(path.read_bytes(), box_key)
    except (OSError, ValueError) as error:
        return str(error)
    if (envelope.vault, envelope.day, envelope.key_id) != (made.vault, made.day, made.key_id):
        return f"is not the envelope that {place(item.seq)} names"
    recipients = tuple(share.recipient for share in envelope.shares)
    if not any(
        seq < item.seq and (recipients, envelope.quorum) == (custodians, quorum)
        for seq, custodians, quorum in catalogue.custodians
    ):
        return "is for custodians whom the chain had not named"
    return None


def _check_unknown(home: Home, paths: set[Path], catalogue: Catalogue, findings: _Findings) -> None:
    """Files no line fixes: what a living run is writing, what a dead one left, or an intrusion."""
    unclosed = set(liveness.unclosed(home))
    for path in sorted(paths):
        where = str(path.relative_to(home.path))
        run = None if path.is_symlink() else _writer_of(home, path, catalogue)
        if path.name in catalogue.replaced:
            findings.notices.append(Fault(where, "was replaced by a segment; the next start removes it"))
        elif path.name.startswith(".") and path.name.endswith(".new") and path.parent != home.path:
            findings.notices.append(Fault(where, "is being written, or was not finished"))
        elif run and liveness.is_live(home, run):
            findings.counts["open"] += 1
        elif run and (path.name.endswith(journal.SUFFIX) or run in unclosed):
            what = f"was left by run {run}, which ended without closing; the next start settles it"
            findings.notices.append(Fault(where, what))
        elif path.exists():  # else the recorder replaced it since it was listed
            findings.faults.append(
                Fault(where, "is fixed by no line of the chain: it was put here, or its line is lost")
            )


def _drawn_and_cut_off(home: Home, header: journal.Header) -> bool:
    """Whether the envelope of a journal's key lies here, and its run was cut off before a line told of it.

    So it is in a home that was restored from a central: envelopes and journals are sent before the lines.
    """
    envelope = home.envelopes(header.vault, header.day) / f"{header.key_id}.envelope"
    return envelope.exists() and header.run in liveness.unclosed(home)


def _writer_of(home: Home, path: Path, catalogue: Catalogue) -> str | None:
    """The run that wrote a file under a key the chain knows (an envelope names its run itself)."""
    try:
        match path.suffix:
            case ".journal":
                with path.open("rb") as file:
                    header = journal.parse_header(file.readline(4096))
                known = header.key_id in catalogue.envelopes or _drawn_and_cut_off(home, header)
                return header.run if known and header.name == path.name else None
            case ".parquet" | ".index":
                made = catalogue.envelopes.get(path.name.split("-")[1])
                return made.run if made else None
            case ".envelope":
                run = canonical.decode(path.read_bytes().removesuffix(b"\n")).get("run")
                return run if isinstance(run, str) else None
    except (OSError, ValueError, IndexError):
        pass
    return None
