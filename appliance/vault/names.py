"""Where everything lies in a box's home. Pure: makes paths, touches nothing.

box.toml  sources.toml  box.key  chain.jsonl
envelopes/VAULT/DAY/KEY.envelope      segments/VAULT/DAY/NAME.parquet and NAME.index
journal/VAULT/DAY/NAME.journal        state/        statistics/DAY/NAME.jsonl and day.archive
replication/CENTRAL/                  run/RUN.socket
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class VaultName(StrEnum):
    """One category of records with its own keys and its own term."""

    SOURCE = "source"
    TRAFFIC = "traffic"


@dataclass(frozen=True)
class Home:
    """The folder of one box."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "box.toml"

    @property
    def signing_key(self) -> Path:
        return self.path / "box.key"

    @property
    def chain(self) -> Path:
        return self.path / "chain.jsonl"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def statistics(self) -> Path:
        return self.path / "statistics"

    @property
    def replication(self) -> Path:
        return self.path / "replication"

    def envelopes(self, vault: VaultName, day: dt.date) -> Path:
        return self.path / "envelopes" / vault / day.isoformat()

    def segments(self, vault: VaultName, day: dt.date) -> Path:
        return self.path / "segments" / vault / day.isoformat()

    def journal(self, vault: VaultName, day: dt.date) -> Path:
        return self.path / "journal" / vault / day.isoformat()
