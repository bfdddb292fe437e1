"""The random key of one vault and one day."""

import datetime as dt
from dataclasses import dataclass, field

from appliance.vault.names import VaultName


@dataclass(frozen=True)
class DayKey:
    """`secret` is 32 random bytes (AES-256), in memory only; `key_id` (16 hex digits) names it on disk."""

    vault: VaultName
    day: dt.date
    key_id: str
    secret: bytes = field(repr=False)
