"""What the chain of a home fixes, and what it says is no more, to hold receipts against."""

import contextlib
import json
from dataclasses import dataclass, field

from appliance.replication.names import Kind
from appliance.vault import canonical, chain, signing
from appliance.vault.names import Home
from appliance.vault.seals import (
    Adoption,
    Body,
    Destroyed,
    DestructionOrdered,
    EnvelopeMade,
    Init,
    Seal,
    StoredFile,
)


@dataclass
class Fixings:
    """What the chain fixes: the hash of each line by number, of each file by name; and whose it is.

    `replaced` and `ended` are the journal files (without folder) and keys that it says are no more.
    """

    site: str = ""
    lines: list[str] = field(default_factory=list)
    files: dict[str, StoredFile] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)


def read(home: Home) -> Fixings:
    """Read without stopping at a damaged line, of which `verify` tells."""
    fixed = Fixings()
    for line in chain.split_lines(chain.content(home))[0]:
        fixed.lines.append(canonical.sha256(line))
        with contextlib.suppress(ValueError, AttributeError):
            _take(fixed, chain.entry(json.loads(line), line).body)
    return fixed


def _take(fixed: Fixings, body: Body) -> None:
    match body:
        case Init(box=box) if not fixed.site:
            fixed.site = signing.fingerprint(box)
        case EnvelopeMade() as made:
            fixed.files[f"{Kind.ENVELOPE}/{made.vault}/{made.day}/{made.file.name}"] = made.file
        case Seal() as seal:
            folder = f"{Kind.SEGMENT}/{seal.vault}/{seal.day}"
            fixed.files |= {f"{folder}/{one.name}": one for one in seal.files}
            fixed.replaced.update(seal.replaces)
        case Adoption() as left:
            fixed.files[f"{Kind.JOURNAL}/{left.vault}/{left.day}/{left.file.name}"] = left.file
        case DestructionOrdered(key_ids=key_ids) | Destroyed(key_ids=key_ids):
            fixed.ended.update(key_ids)
