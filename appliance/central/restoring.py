"""A home out of a central alone: after a theft or a fire, all that the box had sent, for its custodians.

It can be read, searched, verified and given away in open formats, and not continued: the box's key is nowhere
but on the box. What central lacks, or has otherwise than it was signed, is named.
"""

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.central import branches, objects, sites, unfinished
from appliance.central.branches import Branch, Head
from appliance.central.copying import Copying, Wrong
from appliance.central.places import Central
from appliance.central.proofs import ProvenLine
from appliance.central.tables import Site, Stored
from appliance.config import text
from appliance.config.box import BoxConfig
from appliance.model.errors import CentralError, StorageError
from appliance.model.instants import to_iso
from appliance.replication import names
from appliance.replication.names import Kind
from appliance.runtime.files import make_folder
from appliance.vault import journal
from appliance.vault.names import Home
from appliance.vault.seals import Custodians, Init

UNFINISHED = unfinished.MARK
RECEIPTS = "restored"
"""The folder in a home's state for the receipts of what was restored."""

_PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_TO_BE_SET = """\
# Made by 'greffier central restore' out of the chain at a central. Site, custodians and quorum are as signed
# there, the terms as contracted with central; everything else stands at its default and has to be set again:
# client_networks and interfaces first. Without its box.key this home can be read and not continued.

"""

Progress = Callable[[int, int], None]
"""Told (objects looked at, objects there are)."""


@dataclass
class Restored:
    """One home that was made. `head` is SEQ:HASH of its last line; `missing` are names with what is wrong."""

    home: Path
    head: str
    objects: int = 0
    size_bytes: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    last_received_ns: int = 0


@dataclass(frozen=True)
class Restoration:
    """The homes that were made, and the branches that were not asked for, or were too many."""

    homes: list[Restored]
    left_out: list[Head]


def restore(
    central: Central,
    site: Site,
    out: Path,
    progress: Progress = lambda done, total: None,
    numbers: Sequence[int] = (),
) -> Restoration:
    """Make a home for each branch of a site's chain: OUT/home, or OUT/branch-1/home, ... for several.

    The longest come first; the first 16, or those of these numbers. `out` must be empty, or hold what an
    interrupted call for the same had begun, which is then completed; durable on return. Raises CentralError
    if nothing of the site's chain is here, or no such branch; StorageError for a full disk, or a store that
    does not answer: it is to be run again then.
    """
    heads = branches.heads(central, site)
    if not heads:
        raise CentralError(
            f"no line of the chain of '{site.name}' has come to this central: nothing to restore"
        )
    chosen = _chosen(heads, numbers)
    try:
        unfinished.begin(central, site, out, numbers)
        folders = [out] if len(heads) == 1 else [out / f"branch-{head.number}" for head in chosen]
        made = _restored(central, site, chosen, [folder / "home" for folder in folders], progress)
        unfinished.end(out)  # on the disk first: a power cut must not leave half a home without its mark
    except OSError as error:
        raise StorageError(
            f"cannot write {out}: {error.strerror or error}; free the disk, then run this again: it goes on"
        ) from error
    return Restoration(made, [head for head in heads if head not in chosen])


def _chosen(heads: Sequence[Head], numbers: Sequence[int]) -> list[Head]:
    if not numbers:
        return list(heads[: branches.MOST])
    if len(set(numbers)) > branches.MOST:
        raise CentralError(f"at most {branches.MOST} branches are restored at once; name fewer")
    if wrong := set(numbers) - {head.number for head in heads}:
        raise CentralError(f"there is no branch {min(wrong)}: the chain has {len(heads)}, numbered from 1")
    return [head for head in heads if head.number in numbers]


def _restored(
    central: Central, site: Site, chosen: Sequence[Head], homes: Sequence[Path], progress: Progress
) -> list[Restored]:
    copying = Copying(central, site)
    proven: dict[str, ProvenLine] = {}
    found = branches.branches(central, site, chosen)
    made = [_chain(copying, branch, home, proven) for branch, home in zip(found, homes, strict=True)]
    _objects(copying, found, made, progress)
    for branch, restored in zip(found, made, strict=True):
        _complete(copying, branch, restored)
    return made


def _chain(copying: Copying, branch: Branch, path: Path, proven: dict[str, ProvenLine]) -> Restored:
    """chain.jsonl re-joined out of its lines, and the settings that it states."""
    home = Home(path)
    make_folder(home.state)
    with home.chain.open("wb") as file:
        for line in branches.read(copying, branch, proven):
            file.write(line)
    _close_to_others(home.chain)
    if not branch.lines:
        raise CentralError(f"the first line of the chain of '{copying.site.name}' {branch.faults[0][1]}")
    last = branch.lines[-1].entry
    _write(home.state / "head", f"{last.seq:012d}:{last.hash}\n")
    _write(home.config, _TO_BE_SET + text.render(_settings(copying.site, branch)))
    size_bytes = home.chain.stat().st_size
    return Restored(path, f"{last.seq}:{last.hash}", len(branch.lines), size_bytes, list(branch.faults))


def _settings(site: Site, branch: Branch) -> BoxConfig:
    first = branch.lines[0].entry.body
    assert isinstance(first, Init)
    stated = [line.entry.body for line in branch.lines if isinstance(line.entry.body, Init | Custodians)][-1]
    return BoxConfig(
        first.site, stated.quorum, stated.custodians, _PRIVATE_NETWORKS, term_years=sites.terms_of(site)
    )


def _objects(copying: Copying, found: Sequence[Branch], made: Sequence[Restored], progress: Progress) -> None:
    """Every object to each home whose chain knows its key; where no chain does, to all."""
    known = set().union(*(branch.keys for branch in found))
    total = Stored.select().where(
        Stored.site == copying.site, Stored.state == "kept", Stored.kind != Kind.CHAIN.value
    )
    count = total.count(copying.central.database)
    for restored in made:
        _begin_receipts(copying.central, restored.home)
    for done, row in enumerate(copying.rows(), 1):
        if row.key_id is None or row.key_id in known:
            concerned = [row.key_id is None or row.key_id in branch.keys for branch in found]
        else:  # of a branch that is left out, or of none
            concerned = [not branches.is_fixed(copying.central, copying.site, row.name)] * len(found)
        like = None
        for branch, restored, concerns in zip(found, made, concerned, strict=True):
            if concerns and _take(copying, branch, restored, row, like):
                like = restored.home / row.name
                _keep_receipt(copying, restored.home, row)
        progress(done, count)


def _take(copying: Copying, branch: Branch, restored: Restored, row: Stored, like: Path | None) -> bool:
    fixing = branch.fixes.get(row.name)
    if fixing and (fixing.sha256, fixing.size_bytes) != (bytes(row.sha256).hex(), row.size_bytes):
        restored.missing.append((row.name, "is not the file that the chain fixes"))
        return False
    try:
        copying.copy(row, restored.home, like)
    except Wrong as error:
        restored.missing.append((row.name, str(error)))
        return False
    restored.objects += 1
    restored.size_bytes += row.size_bytes
    restored.last_received_ns = max(restored.last_received_ns, row.received_at_ns)
    return True


def _begin_receipts(central: Central, home: Path) -> None:
    """The receipts of what was taken, beside the identity of the central that signed them.

    Not where a box keeps those it was given: this home is enrolled nowhere.
    """
    folder = home / "state" / RECEIPTS
    make_folder(folder)
    _write(folder / "central.json", central.identity.render().decode("utf-8"))
    _write(folder / "receipts.jsonl", "")


def _keep_receipt(copying: Copying, home: Path, row: Stored) -> None:
    """Opened for each: a process may have fewer files open than a chain has branches."""
    receipt = objects.receipt_of(copying.central.signer, copying.site, row)
    with (home / "state" / RECEIPTS / "receipts.jsonl").open("ab") as file:
        file.write(receipt.render())


def _complete(copying: Copying, branch: Branch, restored: Restored) -> None:
    """Name what the chain fixes and central lacks; mark the runs that never closed; say how it was made."""
    already = {name for name, _ in restored.missing}
    for name in branch.fixes.keys() - already:
        if not (restored.home / name).exists():
            state = copying.state(name)
            if state == "destroyed":
                restored.destroyed.append(name)
            elif state is None or state == "kept":
                restored.missing.append((name, "has not come to this central"))
    _drop_halves(restored)
    home = Home(restored.home)
    for run in _unclosed(home, branch):
        (home.state / f"run-{run}.lock").touch(mode=0o600)
    restored.missing.sort()
    restored.destroyed.sort()
    told = {
        "central": copying.central.identity.fingerprint,
        "site": copying.site.fingerprint,
        "head": restored.head,
        "last_received": to_iso(restored.last_received_ns),
        "objects": restored.objects,
        "missing": restored.missing,
        "destroyed": restored.destroyed,
    }
    _write(home.state / "restored.json", json.dumps(told, indent=1) + "\n")


def _drop_halves(restored: Restored) -> None:
    """A segment without its index, or the reverse, opens for nobody: its journals are still at central."""
    for path in sorted((restored.home / Kind.SEGMENT).glob("*/*/*")):
        other = path.with_suffix(".index" if path.suffix == ".parquet" else ".parquet")
        if not other.exists():
            path.unlink()
            name = str(path.relative_to(restored.home))
            restored.missing.append((name, f"was left out: {other.name} beside it has not come"))


def _unclosed(home: Home, branch: Branch) -> set[str]:
    """Runs whose journals no line replaces or fixes, or whose key no line announces: they were cut off."""
    replaced = {name for line in branch.lines for name in line.needless}
    runs = set()
    for path in (home.path / Kind.JOURNAL).glob("*/*/*.journal"):
        if path.name not in replaced and str(path.relative_to(home.path)) not in branch.fixes:
            runs.add(journal.run_of(path.name))
    for path in (home.path / Kind.ENVELOPE).glob("*/*/*.envelope"):
        if str(path.relative_to(home.path)) not in branch.fixes:
            runs.add(str(json.loads(path.read_bytes()).get("run", "")))
    return {run for run in runs if len(run) == 8 and not set(run) - set("0123456789abcdef")}


def days(restored: Restored) -> tuple[dt.date, dt.date] | None:
    """The first and the last day of which anything was restored."""
    found = [
        names.parse(str(path.relative_to(restored.home))).day
        for room in (Kind.SEGMENT, Kind.JOURNAL)
        for path in (restored.home / room).glob("*/*/*")
    ]
    known = sorted(day for day in found if day)
    return (known[0], known[-1]) if known else None


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    _close_to_others(path)


def _close_to_others(path: Path) -> None:
    """For its owner only; a stick whose file system knows no owners refuses that."""
    with contextlib.suppress(PermissionError):
        path.chmod(0o600)
