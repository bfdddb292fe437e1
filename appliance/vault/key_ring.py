"""The keys one run holds for one vault, in memory only, each stored as an envelope before its first use."""

import contextlib
import datetime as dt
import secrets
from collections.abc import Collection

from appliance.config.box import BoxConfig
from appliance.runtime import custodian_keys
from appliance.runtime.files import write_many
from appliance.vault import canonical, envelopes
from appliance.vault.chain import Chain
from appliance.vault.day_keys import DayKey
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import EnvelopeMade, StoredFile


class KeyRing:
    """Draws the day keys of one vault for one run. Raises CustodyError for a custodian's key that is none."""

    def __init__(self, home: Home, vault: VaultName, config: BoxConfig, chain: Chain, run_id: str) -> None:
        self._home = home
        self._vault = vault
        self._recipients = tuple(custodian_keys.check_recipient(text) for text in config.custodians)
        self._quorum = config.quorum
        self._chain = chain
        self._run_id = run_id
        self._keys: dict[dt.date, DayKey] = {}

    def keys(self, days: Collection[dt.date]) -> dict[dt.date, DayKey]:
        """A key for each day; new ones are drawn together.

        Envelopes and their lines in the chain are durable before any key is returned. Raises StorageError,
        and then no new key exists.
        """
        missing = [day for day in sorted(set(days)) if day not in self._keys]
        if missing:
            drawn = [
                DayKey(self._vault, day, secrets.token_hex(8), secrets.token_bytes(32)) for day in missing
            ]
            self._store(drawn)
            self._keys.update({key.day: key for key in drawn})
        return {day: self._keys[day] for day in days}

    def forget_before(self, day: dt.date) -> None:
        """Drop the keys of earlier days: what they encrypted is closed to this process from now on."""
        self._keys = {kept: key for kept, key in self._keys.items() if kept >= day}

    def _store(self, drawn: list[DayKey]) -> None:
        files, lines = [], []
        for key in drawn:
            content = envelopes.seal_key(
                key, self._run_id, self._recipients, self._quorum, self._chain.signer
            )
            path = self._home.envelopes(self._vault, key.day) / f"{key.key_id}.envelope"
            files.append((path, content))
            stored = StoredFile(path.name, canonical.sha256(content), len(content))
            lines.append(EnvelopeMade(self._vault, key.day, key.key_id, self._run_id, stored))
        write_many(files)
        try:
            self._chain.append(lines)
        except Exception:  # whatever it was: an envelope that no line announces is a fault for `verify`
            for path, _ in files:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            raise
