"""Beside the records: what was seen and sealed, what is missing, what lay open already, how to read it."""

import contextlib
import datetime as dt
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.model.errors import CustodyError, DestroyedError, GreffierError, HomeError
from appliance.model.instants import to_iso
from appliance.vault import day_folder, seals, signing
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Entry, Head
from appliance.vault.day_keys import DayKey
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import Init
from appliance.vault.unseal.custody import KeyOpener
from appliance.vault.unseal.holders import JOINED_SCHEMA
from appliance.vault.unseal.holdings import SHOWN_SCHEMA
from appliance.vault.unseal.open_words import Told, english, french
from appliance.vault.unseal.question import FOREVER_NS


@dataclass(frozen=True)
class Wish:
    """What is asked for: a period in UTC ns, formats (parquet, csv), and parts as written or connections."""

    from_ns: int = 0
    to_ns: int = FOREVER_NS
    formats: tuple[str, ...] = ("parquet", "csv")
    parts: bool = False


@dataclass
class Outcome:
    """What was written: rows by folder; days that nobody can read any more; what should be there."""

    rows: dict[str, int] = field(default_factory=dict)
    destroyed: list[tuple[VaultName, dt.date]] = field(default_factory=list)
    missing: list[dict[str, object]] = field(default_factory=list)
    files: int = 0
    size_bytes: int = 0


class PatientOpener:
    """Opens what it can: a day whose key cannot be had is named in `failed` and left out."""

    def __init__(self, opener: KeyOpener) -> None:
        self._opener = opener
        self.failed: dict[tuple[VaultName, dt.date, str], GreffierError] = {}

    def open(self, vault: VaultName, day: dt.date, key_id: str) -> DayKey:
        try:
            return self._opener.open(vault, day, key_id)
        except (CustodyError, HomeError) as error:
            self.failed[vault, day, key_id] = error
            raise DestroyedError(str(error)) from error


def missing(
    home: Home, catalogue: Catalogue, opener: PatientOpener, damaged: Mapping[Path, str]
) -> list[dict[str, object]]:
    """Files that the chain fixes and that are not there or do not open, and days without their key."""
    found = []
    for seal in catalogue.seals:
        if seal.day and seal.key_id not in catalogue.ordered:
            found += [
                _lack(seal.vault, seal.day, file.name, "is not there")
                for file in seal.files
                if not (home.segments(seal.vault, seal.day) / file.name).exists()
            ]
    for name, made in catalogue.adopted.items():
        gone = made.key_id in catalogue.ordered or name in catalogue.replaced
        if not gone and not (home.journal(made.vault, made.day) / name).exists():
            found.append(_lack(made.vault, made.day, name, "is not there"))
    for path, why in damaged.items():
        scope = VaultName(path.parent.parent.name), dt.date.fromisoformat(path.parent.name)
        found.append(_lack(*scope, path.name, why))
    for (vault, day, key_id), error in opener.failed.items():
        found.append(_lack(vault, day, f"{key_id}.envelope", str(error)))
    return found


def _lack(vault: VaultName, day: dt.date, name: str, why: str) -> dict[str, object]:
    return {"vault": str(vault), "day": day.isoformat(), "name": name, "why": why}


def statements(place: Path, entries: Sequence[Entry], outcome: Outcome) -> None:
    """Write coverage, seals and certificates as JSON Lines, each with its line's number and instant."""
    with contextlib.ExitStack() as opened:
        files = {
            name: opened.enter_context((place / f"{name}.jsonl").open("x", encoding="ascii"))
            for name in ("coverage", "seals", "destroyed", "missing")
        }

        def say(name: str, entry: Entry, fields: Mapping[str, object]) -> None:
            files[name].write(json.dumps({"seq": entry.seq, "at": to_iso(entry.at_ns), **fields}) + "\n")

        for entry in entries:
            fields = seals.to_json(entry.body)
            for part in fields.pop("coverage", ()):
                say("coverage", entry, {"kind": fields["kind"], "run": fields["run"], **part})
            if fields["kind"] in ("seal", "adoption"):
                say("seals", entry, fields)
            elif fields["kind"] in ("destruction-ordered", "destroyed"):
                say("destroyed", entry, fields)
        for lack in outcome.missing:
            files["missing"].write(json.dumps(lack) + "\n")


def copies(home: Home, place: Path) -> None:
    """What is open already, as it lies; drafts of totals are not read by anybody."""
    for name in ("box.toml", "inventory/devices.json"):
        if (home.path / name).is_file():
            _copy(home.path / name, place / "settings" / Path(name).name)
    for folder in sorted(home.statistics.glob("*/")):
        for name, content in day_folder.contents(folder):
            if content is not None:
                _write(content, place / "statistics" / folder.name / name)
    told = [*(home.path / "replication").glob("*/*.json*"), *home.state.glob("restored/*.json*")]
    for path in sorted(told):
        if path.name in ("central.json", "receipts.jsonl", "evidence.jsonl"):
            _copy(path, place / "receipts" / path.parent.name / path.name)


def _write(content: bytes, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    to.write_bytes(content)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileNotFoundError):  # removed since it was listed: its term was over
        shutil.copyfile(path, to)


def explained(place: Path, first: Entry, head: Head, outcome: Outcome, wish: Wish) -> None:
    """Write what a reader begins with: two texts for people, and the same figures for programs."""
    assert isinstance(first.body, Init)
    fingerprint = signing.fingerprint(first.body.box)
    period = (
        None if wish.from_ns == 0 else to_iso(wish.from_ns),
        None if wish.to_ns == FOREVER_NS else to_iso(wish.to_ns),
    )
    summary = {
        "site": first.body.site, "box": fingerprint, "head": str(head), "from": period[0], "until": period[1],
        "records": "parts as written" if wish.parts else "connections", "rows": outcome.rows,
        "destroyed": [[str(vault), str(day)] for vault, day in outcome.destroyed],
        "missing": len(outcome.missing),
    }  # fmt: skip
    (place / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    told = Told(
        first.body.site, fingerprint, str(head), *period, outcome.rows, len(outcome.missing), wish.parts,
        JOINED_SCHEMA.names, SHOWN_SCHEMA.names,
    )  # fmt: skip
    (place / "LISEZMOI.txt").write_text(french(told), encoding="utf-8")
    (place / "README.txt").write_text(english(told), encoding="utf-8")
