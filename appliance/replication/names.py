"""Names of objects: what a box sends is named as it lies in its home. Pure.

    chain/000000000017-5e9a01c2d3b4a596             one line of the chain: its number, 16 digits of its hash
    envelopes/traffic/2026-03-14/KEY.envelope
    journal/traffic/2026-03-14/TIME-RUN-N-KEY.journal
    segments/traffic/2026-03-14/HHMM-KEY-SERIAL.parquet and .index
    statistics/2026-03-14/RUN-NUMBER.jsonl

Every object is written once, so a name never means other bytes. A line bears its hash in its name, so that
two chains of one box (it was rolled back and went on) are two names, and both are kept.
"""

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum

from appliance.vault.names import VaultName


class Kind(StrEnum):
    """What an object is; its value is the first part of its name."""

    CHAIN = "chain"
    ENVELOPE = "envelopes"
    JOURNAL = "journal"
    SEGMENT = "segments"
    STATISTICS = "statistics"


@dataclass(frozen=True, slots=True)
class ObjectName:
    """A name in its parts; those that its kind does not have are None."""

    text: str
    kind: Kind
    vault: VaultName | None = None
    day: dt.date | None = None
    key_id: str | None = None
    seq: int | None = None

    def __str__(self) -> str:
        return self.text


_VAULT = "|".join(VaultName)
_DAY = r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
_KEY = r"(?P<key>[0-9a-f]{16})"
_FORMS = {
    Kind.CHAIN: r"chain/(?P<seq>[0-9]{12})-[0-9a-f]{16}",
    Kind.ENVELOPE: rf"envelopes/(?P<vault>{_VAULT})/{_DAY}/{_KEY}\.envelope",
    Kind.JOURNAL: (
        rf"journal/(?P<vault>{_VAULT})/{_DAY}/[0-9]{{8}}T[0-9]{{6}}Z-[0-9a-f]{{8}}-[0-9]{{1,9}}-{_KEY}\.journal"
    ),
    Kind.SEGMENT: rf"segments/(?P<vault>{_VAULT})/{_DAY}/[0-9]{{4}}-{_KEY}-[0-9a-f]{{8}}\.(?:parquet|index)",
    Kind.STATISTICS: rf"statistics/{_DAY}/[0-9a-f]{{8}}-(?:[0-9]{{1,9}}|draft)\.jsonl",
}
_PATTERNS = {kind: re.compile(form, re.ASCII) for kind, form in _FORMS.items()}


def parse(text: str) -> ObjectName:
    """The name in its parts; ValueError for anything a box could not have written."""
    for kind, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(text):
            part = found.groupdict()
            return ObjectName(
                text,
                kind,
                VaultName(part["vault"]) if "vault" in part else None,
                dt.date.fromisoformat(part["day"]) if "day" in part else None,
                part.get("key"),
                int(part["seq"]) if "seq" in part else None,
            )
    raise ValueError("is not the name of an object of a box")


def of_line(seq: int, digest: str) -> str:
    """The name of a line of the chain: its number and its hash (64 hexadecimal digits)."""
    return f"{Kind.CHAIN}/{seq:012d}-{digest[:16]}"
