"""What lies on a box and at its centrals, by hashlib over files and plain SQL: nothing of Greffier is asked.

Names are put together as FORMAT.md and PROTOCOL.md give them; signatures are checked by openssl's library.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Objects = dict[str, str]
"""SHA-256 by name."""


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def chain_lines(home: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for line in (home / "chain.jsonl").read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield line, json.loads(line)


def on_box(home: Path) -> Objects:
    """What a box has to give, when nobody records: all but journal files that a seal made needless."""
    objects: Objects = {}
    needless: set[str] = set()
    for line, said in chain_lines(home):
        digest = sha256_of(line)
        objects[f"chain/{said['seq']:012d}-{digest[:16]}"] = digest
        needless.update(said.get("replaces", ()))
    patterns = ("envelopes/*/*/*.envelope", "segments/*/*/*.parquet", "segments/*/*/*.index")
    for pattern in (*patterns, "journal/*/*/*.journal", "statistics/*/*.jsonl"):
        for path in home.glob(pattern):
            if path.name not in needless and path.stat().st_size:
                objects[str(path.relative_to(home))] = sha256_of(path.read_bytes())
    return objects


def destroyed_keys(home: Path) -> set[str]:
    """Ids of the keys that the chain certifies as destroyed."""
    return {key for _, said in chain_lines(home) if said["kind"] == "destroyed" for key in said["key_ids"]}


@dataclass
class Holdings:
    """What one central has of one site. `stray` are files that no row names."""

    kept: Objects = field(default_factory=dict)
    gone: Objects = field(default_factory=dict)
    """Replaced or destroyed."""
    stray: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def at_central(folder: Path, site: str) -> Holdings:
    """Rows and files of a central of the embedded kind, compared."""
    holdings = Holdings()
    names: Counter[str] = Counter()
    sequences: list[int] = []
    for name, digest, size, state, sequence in _rows(folder, site):
        names[name] += 1
        sequences.append(sequence)
        (holdings.kept if state == "kept" else holdings.gone)[name] = digest
        if state == "kept":
            holdings.wrong += _compare(_file(folder, site, name, digest), name, digest, size)
    holdings.wrong += [f"{name} is there {count} times" for name, count in names.items() if count > 1]
    if sorted(sequences) != list(range(1, len(sequences) + 1)):
        holdings.wrong.append("receipts are not numbered from 1 without a gap")
    for root in ("objects", "custody"):
        for path in (folder / root / site).rglob("*"):
            name, _, digest = str(path.relative_to(folder / root / site)).rpartition(".")
            if path.is_file() and holdings.kept.get(name) != digest:
                holdings.stray.append(f"{name}.{digest}")
    return holdings


def _rows(folder: Path, site: str) -> list[tuple[str, str, int, str, int]]:
    asked = (
        "SELECT o.name, lower(hex(o.sha256)), o.size_bytes, o.state, o.sequence FROM stored o "
        "JOIN site s ON s.id = o.site_id WHERE s.fingerprint = ?"
    )
    with contextlib.closing(sqlite3.connect(folder / "catalogue.sqlite", timeout=20)) as database:
        return list(database.execute(asked, (site,)))


def _file(folder: Path, site: str, name: str, digest: str) -> Path:
    root = "custody" if name.startswith("envelopes/") else "objects"
    return folder / root / site / f"{name}.{digest}"


def _compare(path: Path, name: str, digest: str, size: int) -> list[str]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [f"{name} has a receipt and no bytes"]
    if len(content) != size or sha256_of(content) != digest:
        return [f"{name} has other bytes than its receipt says"]
    return []


def canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def signed(key: str, purpose: bytes, fields: dict[str, Any]) -> bool:
    """Whether `sig` is over the rest."""
    message = canonical({name: value for name, value in fields.items() if name != "sig"})
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(fields["sig"]), purpose + b"\n" + message
        )
    except InvalidSignature:
        return False
    return True


def that_count(account: bytes) -> list[bytes]:
    """The receipts of an account file that its marks have not made void (FORMAT.md)."""
    counting: list[bytes] = []
    for line in account.splitlines(keepends=True):
        if line.endswith(b"\n"):
            said = json.loads(line)
            if "void" in said:
                counting = [kept for kept in counting if json.loads(kept)["sequence"] < said["void"]]
            elif "highest" not in said:
                counting.append(line)
    return counting


def wrong_receipts(receipts: list[bytes], key: str, site: str, holdings: Holdings) -> list[str]:
    """Faults of the receipts that a box holds of one central: signature, site, bytes behind each."""
    wrong = []
    known = holdings.kept | holdings.gone
    for line in receipts:
        receipt = json.loads(line)
        if not signed(key, b"greffier receipt 1", receipt) or receipt["site"] != site:
            wrong.append(f"a receipt for {receipt['name']} is not this central's for this site")
        elif known.get(receipt["name"]) != receipt["sha256"]:
            wrong.append(f"{receipt['name']} has a receipt and is not at the central")
    return wrong


def wrong_numbering(receipts: list[bytes]) -> list[str]:
    """Receipts of one central to one site, each naming the one before; what of them is no chain."""
    by_number = {json.loads(line)["sequence"]: line for line in receipts}
    wrong = []
    for number, line in by_number.items():
        before = by_number.get(number - 1)
        named = json.loads(line)["previous"]
        if (number == 1 and named != "0" * 64) or (before and named != sha256_of(before)):
            wrong.append(f"receipt {number} does not follow from the one before")
    return wrong


def wrong_chain(folder: Path, site: str) -> list[str]:
    """Lines at a central that no line there leads to."""
    asked = "SELECT l.hash, l.seq, l.prev FROM line l JOIN site s ON s.id = l.site_id WHERE s.fingerprint = ?"
    with contextlib.closing(sqlite3.connect(folder / "catalogue.sqlite", timeout=20)) as database:
        lines = {digest: (seq, prev) for digest, seq, prev in database.execute(asked, (site,))}
    lines["0" * 64] = (-1, "")
    return [
        f"line {seq} hangs in the air"
        for seq, prev in lines.values()
        if seq >= 0 and (prev not in lines or lines[prev][0] != seq - 1)
    ]
