"""Checks what centrals signed for and no line fixes: the journal files that runs wrote since their last seal.

A seal's `replaces`, or the destruction of its key, explains that one is no more. Nothing else does.
"""

import hashlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass

from appliance.model.instants import to_iso
from appliance.replication.loose import opened
from appliance.replication.names import Kind, ObjectName
from appliance.replication.receipts import Receipt
from appliance.vault.chain_check import Fault
from appliance.vault.names import Home

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Suspect:
    """A file that is not as a central signed for it, unless a line came meanwhile that explains it."""

    name: ObjectName
    receipt: Receipt
    fault: Fault


def is_explained(name: ObjectName, replaced: Collection[str], ended: Collection[str]) -> bool:
    """Whether the chain says that a file may be gone. `replaced` are names without folder, `ended` keys."""
    is_replaced = name.kind is Kind.JOURNAL and name.text.rpartition("/")[2] in replaced
    return is_replaced or name.key_id in ended


def compare(home: Home, name: ObjectName, receipt: Receipt, central: str) -> Suspect | None:
    """None if the file lies there with the size and hash that a central of this name signed for."""
    wrong = _wrong(home, receipt)
    if wrong is None:
        return None
    what = (
        f"{wrong}: central '{central}' signed for it at {to_iso(receipt.received_at_ns)[:19]}Z; "
        "'greffier central restore' there gives it back"
    )
    return Suspect(name, receipt, Fault(receipt.name, what))


def _wrong(home: Home, receipt: Receipt) -> str | None:
    try:
        with opened(home.path / receipt.name) as file:
            known = os.fstat(file.fileno())
            if not stat.S_ISREG(known.st_mode):
                return "is no file"
            if known.st_size != receipt.size_bytes:
                return f"was changed, it has {known.st_size} bytes instead of {receipt.size_bytes}"
            digest = hashlib.sha256()
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
            if digest.hexdigest() != receipt.sha256:
                return "was changed, its bytes are others"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None
