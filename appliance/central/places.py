"""A central on this machine: its folder opened, with everything its work needs."""

from dataclasses import dataclass
from pathlib import Path

from peewee import Database

from appliance.central.custody import Custody
from appliance.central.stores.store import Store
from appliance.config.central import CentralConfig
from appliance.replication.identity import CentralIdentity
from appliance.vault.signing import Signer


@dataclass(frozen=True)
class Central:
    """One central. `signer` signs receipts and the ledger; `identity` is what boxes know of it."""

    folder: Path
    config: CentralConfig
    identity: CentralIdentity
    signer: Signer
    database: Database
    store: Store
    custody: Custody
