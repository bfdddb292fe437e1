"""What runs that died left behind, and how the next start settles it. See `vault.run`."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config.box import BoxConfig
from appliance.model.coverage import Coverage
from appliance.model.source_names import is_feed
from appliance.runtime import recorder_state
from appliance.runtime.recorder_state import RecorderState, SourceState
from appliance.vault import canonical, journal, liveness, periods, seals
from appliance.vault import chain as chains
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Chain
from appliance.vault.names import Home
from appliance.vault.seals import Adoption, Body, Custodians, Init, Interruption, StoredFile


@dataclass(frozen=True)
class _Orphan:
    path: Path
    header: journal.Header
    last_frame_ns: int
    file: StoredFile


def settle(home: Home, config: BoxConfig, chain: Chain) -> list[str]:
    """State in the chain what dead runs left, then tidy it away; what was done, in sentences.

    Call it under the start lock. Raises StorageError, and then nothing has been removed.
    """
    notes = [_REPAIRS[seals.kind_of(entry.body)] for entry in chain.repair()]
    bodies = _changed_custodians(home, config)
    dead = {*liveness.unclosed(home), *_writers_of_orphans(home), *_not_ended(home)}
    if not dead:
        chain.append(bodies)
        _forget(home, dead)
        return notes
    catalogue = Catalogue.of(chains.read(home))
    orphans = _orphans(home, catalogue, dead)
    for run_id in sorted(dead - catalogue.interrupted):
        bodies.append(
            _interruption(home, run_id, [file for file in orphans if file.header.run == run_id], catalogue)
        )
    for orphan in orphans:
        header = orphan.header
        bodies.append(Adoption(header.vault, header.day, header.key_id, header.run, orphan.file))
    chain.append(bodies)
    notes += [f"run {run_id} had ended without closing" for run_id in sorted(dead - catalogue.interrupted)]
    notes += [f"adopted the journal file {orphan.file.name} as it lay" for orphan in orphans]
    # After a rollback an unknown file may be a record whose seal was taken away: touch nothing then.
    if not catalogue.rolled_back:
        notes += [
            f"removed {path.name}, which {why}" for path, why in _remove(_needless(home, catalogue, dead))
        ]
    _forget(home, dead)
    return notes


_REPAIRS = {
    "repair": "the chain ended in a torn line, which was cut off",
    "rollback": "the chain was found shorter than it had been: see 'greffier verify'",
}


def _changed_custodians(home: Home, config: BoxConfig) -> list[Body]:
    """The line that states new custodians, if the settings name others than the chain."""
    lines, _ = chains.split_lines(chains.content(home))
    for line in reversed(lines):
        if b'"kind":"custodians"' in line or b'"kind":"init"' in line:
            stated = chains.entry(canonical.decode(line[:-1]), line).body
            assert isinstance(stated, Custodians | Init)
            if (stated.custodians, stated.quorum) == (config.custodians, config.quorum):
                return []
            break
    return [Custodians(config.custodians, config.quorum)]


def _journal_files(home: Home) -> Iterator[Path]:
    return (home.path / "journal").glob(f"*/*/*{journal.SUFFIX}")


def _writers_of_orphans(home: Home) -> set[str]:
    runs = {journal.run_of(path.name) for path in _journal_files(home)} - {""}
    return {run_id for run_id in runs if not liveness.is_live(home, run_id)}


def _not_ended(home: Home) -> set[str]:
    """Runs that did not end in good order, by their own word: one that a full disk made give up, too."""
    states = recorder_state.read_all(home.state)
    return {state.run for state in states if not state.ended and not liveness.is_live(home, state.run)}


def _orphans(home: Home, catalogue: Catalogue, dead: set[str]) -> list[_Orphan]:
    """The journal files of dead runs that the chain neither fixed nor replaced, durable from here on."""
    orphans = []
    for path in sorted(_journal_files(home)):
        if (
            path.name in catalogue.adopted
            or path.name in catalogue.replaced
            or journal.run_of(path.name) not in dead
        ):
            continue
        content = path.read_bytes()
        line = content[: content.find(b"\n") + 1]
        try:
            header = journal.parse_header(line)
        except ValueError:
            continue
        times = [at_ns for at_ns, _, _ in journal.frames(memoryview(content), len(line))]
        if times and header.name == path.name and path.parent == home.journal(header.vault, header.day):
            _sync(path)
            stored = StoredFile(path.name, canonical.sha256(content), len(content))
            orphans.append(_Orphan(path, header, times[-1], stored))
    return orphans


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _interruption(home: Home, run_id: str, orphans: Sequence[_Orphan], catalogue: Catalogue) -> Interruption:
    state = recorder_state.read(home.state / f"recorder-{run_id}.json")
    signs = [orphan.last_frame_ns for orphan in orphans]
    parts: list[Coverage] = []
    if state:
        journal_ns = max(signs, default=0)
        sources = [
            _with_kept_apart(_as_kept(state, source, journal_ns, catalogue)) for source in state.sources
        ]
        lost = [source.durable.until_ns for source in sources if source.lost.get(_UNWRITTEN)]
        signs.append(max(lost) if lost else state.updated_ns)
        for source in sources:
            parts += periods.unsealed(state, source, catalogue)
    coverage = [dataclasses.replace(part, noted={**part.noted, "interrupted": 1}) for part in parts]
    return Interruption(run_id, max(signs, default=None), tuple(coverage))


_UNWRITTEN = "unwritten"
"""Where packets were lost that a run had read, and held in memory when it died."""

_QUARANTINED = "quarantined"
"""Where messages were lost whose senders nobody had declared."""


def _as_kept(state: RecorderState, source: SourceState, journal_ns: int, catalogue: Catalogue) -> SourceState:
    """A dead run's source as far as it is on disk: what it counted beyond is lost, and its time not seen.

    Unless the journal or a seal went on after the state was told: they then hold all that it counts, and
    more. How much more of a feed nobody counted; that it was listened to until then is sure.
    """
    durable = source.durable
    sealed = sum(part.packets for part in catalogue.sealed_by(state.run, source.name))
    beyond = source.packets - durable.packets
    if beyond <= 0 or journal_ns > durable.asked_ns or sealed > durable.packets:
        return _heard_until(source, state.updated_ns, journal_ns)
    # What was given up since is among the packets beyond, or still in the journal.
    lost = {**source.lost, "storage": durable.given_up, _UNWRITTEN: beyond}
    begun = [spell for spell in source.spells if spell[0] < durable.until_ns]
    return dataclasses.replace(
        source,
        packets=durable.packets,
        bytes=durable.bytes,
        last_record_ns=durable.last_record_ns or source.last_record_ns,
        lost={place: count for place, count in lost.items() if count},
        spells=tuple((first, min(last, durable.until_ns)) for first, last in begun),
    )


def _heard_until(source: SourceState, told_ns: int, journal_ns: int) -> SourceState:
    """A feed that was listened to when its run last told, until the journal's last frame."""
    if not is_feed(source.name) or not source.spells or source.spells[-1][1] != told_ns:
        return source
    first_ns, last_ns = source.spells[-1]
    return dataclasses.replace(source, spells=(*source.spells[:-1], (first_ns, max(last_ns, journal_ns))))


def _with_kept_apart(source: SourceState) -> SourceState:
    """What waited for its sender to be declared died with the run."""
    if not source.kept_apart:
        return source
    lost = {**source.lost, _QUARANTINED: source.lost.get(_QUARANTINED, 0) + source.kept_apart}
    return dataclasses.replace(source, lost=lost)


def _needless(home: Home, catalogue: Catalogue, dead: set[str]) -> Iterator[tuple[Path, str]]:
    """Files of dead runs that hold nothing which is not kept elsewhere, with the reason in words."""
    sealed, run_of_key = catalogue.segment_files, catalogue.run_of_key
    for path in _journal_files(home):
        if path.name in catalogue.replaced:
            yield path, "a segment had replaced"
        elif (
            journal.run_of(path.name) in dead
            and path.name not in catalogue.adopted
            and _is_torn_at_birth(path)
        ):
            yield path, "held no whole frame"
    for path in (home.path / "segments").glob("*/*/*"):
        key_id = path.name.split("-")[1] if path.name.count("-") == 2 else ""
        if path.name not in sealed and run_of_key.get(key_id) in dead:
            yield path, "an interrupted seal had left"
    for path in (home.path / "envelopes").glob("*/*/*.envelope"):
        if path.stem not in run_of_key and _drawn_by(path) in dead:
            yield path, "belongs to a key that was never used"
    for path in home.path.glob("*/*/*/.*.new"):
        pid = path.name.split(".")[-2]
        if not Path(f"/proc/{pid}").exists():
            yield path, "was not finished"


def _is_torn_at_birth(path: Path) -> bool:
    content = path.read_bytes()
    end = content.find(b"\n") + 1
    if not end:
        return True
    try:
        header = journal.parse_header(content[:end])
    except ValueError:
        return False
    return header.name == path.name and not any(journal.frames(memoryview(content), end))


def _drawn_by(path: Path) -> str | None:
    with contextlib.suppress(OSError, ValueError):
        run_id = canonical.decode(path.read_bytes().rstrip(b"\n")).get("run")
        return run_id if isinstance(run_id, str) else None
    return None


def _remove(found: Iterator[tuple[Path, str]]) -> Iterator[tuple[Path, str]]:
    for path, why in list(found):
        with contextlib.suppress(OSError):
            path.unlink()
            yield path, why


def _forget(home: Home, dead: set[str]) -> None:
    """Remove the locks of dead runs, and every recorder's last word but the newest."""
    for run_id in dead:
        with contextlib.suppress(OSError):
            liveness.lock_path(home, run_id).unlink(missing_ok=True)
    for state in recorder_state.read_all(home.state)[:-1]:
        if not liveness.is_live(home, state.run):
            with contextlib.suppress(OSError):
                (home.state / f"recorder-{state.run}.json").unlink()
