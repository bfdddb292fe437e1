"""Everything that a home holds, in open formats, for the client whose data it is. Needs its custodians.

Records come as `search` and `bindings` give them, each once, a file a day. Until all of it is written it lies
in OUT/.unfinished: what was interrupted begins anew, and nothing half-done is ever taken for whole.
"""

import contextlib
import datetime as dt
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from appliance.model.errors import CustodyError, DestroyedError, StorageError
from appliance.model.instants import DAY_NS, day_of, start_of
from appliance.runtime.files import sync_folder
from appliance.vault import chain
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Head
from appliance.vault.names import Home
from appliance.vault.unseal.custody import KeyOpener
from appliance.vault.unseal.day_files import day_files
from appliance.vault.unseal.holders import JOINED_SCHEMA
from appliance.vault.unseal.holdings import SHOWN_SCHEMA, Holdings
from appliance.vault.unseal.open_statements import (
    Outcome,
    PatientOpener,
    Wish,
    copies,
    explained,
    missing,
    statements,
)
from appliance.vault.unseal.parts import instants
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.search import Search

UNFINISHED = ".unfinished"
SUMS = "SHA256SUMS"
CONTENTS = (
    "LISEZMOI.txt", "README.txt", "traffic", "bindings", "coverage.jsonl", "seals.jsonl", "destroyed.jsonl",
    "missing.jsonl", "summary.json", "chain", "receipts", "statistics", "settings", SUMS,
)  # fmt: skip
"""All that is ever written, the sums last."""

Progress = Callable[[int, int], None]
"""Told (days done, days to do)."""


def write(home: Home, opener: KeyOpener, out: Path, wish: Wish, progress: Progress) -> Outcome:
    """Write everything of a home into the empty folder `out`, made if need be.

    What is damaged or not there is named and left out. Raises CustodyError if these custodians open nothing
    of it, HomeError for a chain that cannot be read, StorageError (a full disk): then run it again.
    """
    place = _begin(out)
    try:
        outcome = _written(home, PatientOpener(opener), place, wish, progress)
        _finish(out, place)
    except OSError as error:
        raise StorageError(
            f"cannot write {out}: {error.strerror or error}; free the disk or choose another place, then run "
            "this again: it begins anew"
        ) from error
    return outcome


def _begin(out: Path) -> Path:
    """The place to write to; what an interrupted call had left is removed, and only that."""
    place = out / UNFINISHED
    try:
        present = {path.name for path in out.iterdir()} if out.exists() else set()
        ours = UNFINISHED in present and present <= {UNFINISHED, *CONTENTS}
        if present and not ours:
            raise StorageError(f"{out} is not empty and nothing is overwritten; choose an empty folder")
        # The mark goes last: without it the rest would no longer be known as ours.
        for name in sorted(present, key=lambda name: name == UNFINISHED):
            _remove(out / name)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.mkdir(mode=0o700, exist_ok=True)
        place.mkdir(mode=0o700)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}; choose another place") from error
    return place


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _written(home: Home, opener: PatientOpener, place: Path, wish: Wish, progress: Progress) -> Outcome:
    content = chain.content(home)
    entries = chain.read(home)
    catalogue = Catalogue.of(entries)
    outcome = Outcome()
    days = _open_all(catalogue, opener, wish)
    damaged: dict[Path, str] = {}
    search = Search(home, opener, Question(wish.from_ns, wish.to_ns), damaged)
    rows = search.parts() if wish.parts else search.connections()
    outcome.rows["traffic"] = _records(
        place / "traffic", rows, JOINED_SCHEMA, "first_seen", wish, days, progress
    )
    holdings = Holdings(home, opener, Question(), damaged)
    held = holdings.everything(wish.from_ns, wish.to_ns)
    outcome.rows["bindings"] = _records(place / "bindings", held, SHOWN_SCHEMA, "from", wish, days, progress)
    progress(len(days), len(days))
    outcome.missing += missing(home, catalogue, opener, damaged)
    outcome.destroyed += sorted({(made.vault, made.day) for _, made in catalogue.certificates})
    statements(place, entries, outcome)
    (place / "chain").mkdir()
    (place / "chain" / "chain.jsonl").write_bytes(content)
    copies(home, place)
    head = Head(entries[-1].seq, entries[-1].hash)
    explained(place, entries[0], head, outcome, wish)
    _sums(place, outcome)
    return outcome


def _open_all(catalogue: Catalogue, opener: PatientOpener, wish: Wish) -> list[dt.date]:
    """The days to be read, each with its keys opened; CustodyError if these custodians open none of them."""
    asked = [
        (made.vault, made.day, key_id)
        for key_id, made in catalogue.envelopes.items()
        if key_id not in catalogue.ordered
        and start_of(made.day) < wish.to_ns
        and start_of(made.day) + DAY_NS > wish.from_ns
    ]
    for key in asked:
        with contextlib.suppress(DestroyedError):
            opener.open(*key)
    refused = [error for error in opener.failed.values() if isinstance(error, CustodyError)]
    if refused and len(opener.failed) == len(asked):
        raise refused[0]
    return sorted({day for _, day, _ in asked})


def _records(
    folder: Path, tables: Iterator[pa.Table], schema: pa.Schema, first: str, wish: Wish,
    days: Sequence[dt.date], progress: Progress,
) -> int:  # fmt: skip
    with day_files(folder, schema, first, wish.formats) as files:
        for table in tables:
            if len(table):
                files.write(table)
                reached = day_of(int(instants(table, first)[-1]))
                progress(sum(day < reached for day in days), len(days))
        return files.rows


def _sums(place: Path, outcome: Outcome) -> None:
    """SHA256SUMS of the files as they lie, each made durable."""
    lines = []
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
            _close_to_others(path)
            outcome.size_bytes += os.fstat(file.fileno()).st_size
        lines.append(f"{digest}  {path.relative_to(place)}\n")
    outcome.files = len(lines)
    with (place / SUMS).open("x", encoding="utf-8") as sums:
        sums.writelines(lines)
        sums.flush()
        os.fsync(sums.fileno())
    _close_to_others(place / SUMS)


def _close_to_others(path: Path) -> None:
    """For its owner only; a stick whose file system knows no owners refuses that."""
    with contextlib.suppress(PermissionError):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _finish(out: Path, place: Path) -> None:
    """Everything one folder up; the sums last, so that a folder with sums is whole."""
    for folder in [path for path in place.rglob("*") if path.is_dir()]:
        _close_to_others(folder)
        sync_folder(folder)
    for name in CONTENTS:
        if (place / name).exists():
            (place / name).rename(out / name)
    place.rmdir()
    sync_folder(out)
