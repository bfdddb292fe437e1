"""What a box keeps, as its chain says: segments, records, bytes, and what goes next."""

import datetime as dt
from dataclasses import dataclass

from appliance.config.box import BoxConfig
from appliance.retention import holds, policy
from appliance.vault.catalogue import Catalogue
from appliance.vault.names import VaultName


@dataclass(frozen=True)
class Going:
    """A vault's day, and the first day (UTC) on which it may be destroyed."""

    on: dt.date
    day: dt.date
    vault: VaultName


@dataclass(frozen=True)
class KeptVault:
    """What one vault keeps; `days` hold a living key each."""

    days: tuple[dt.date, ...]
    segments: int
    records: int


@dataclass(frozen=True)
class Kept:
    """`going` is what goes next, in order; `size_bytes` all files that the chain fixes and that live.

    `taken` bytes of segments by day; `last_ns` when the last record came that is sealed, None without any.
    """

    vaults: dict[VaultName, KeptVault]
    days: tuple[dt.date, ...]
    going: tuple[Going, ...]
    size_bytes: int
    taken: dict[dt.date, int]
    last_ns: int | None

    @property
    def segments(self) -> int:
        return sum(vault.segments for vault in self.vaults.values())


def kept(catalogue: Catalogue, config: BoxConfig, today: dt.date) -> Kept:
    """Out of the chain alone; holds keep what they name on the day that is given."""
    living = catalogue.living_keys()
    going = sorted((_goes_on(catalogue, config, vault, day, today), day, vault) for vault, day in living)
    segments, records = dict.fromkeys(VaultName, 0), dict.fromkeys(VaultName, 0)
    taken: dict[dt.date, int] = {}
    size, last_ns = 0, None
    for seal in catalogue.seals:
        if seal.key_id in catalogue.destroyed:
            continue
        seal_bytes = sum(file.size_bytes for file in seal.files)
        size += seal_bytes
        if seal.rows and seal.day:
            segments[seal.vault] += 1
            records[seal.vault] += seal.rows
            taken[seal.day] = taken.get(seal.day, 0) + seal_bytes
            # Who held an address is recorded ahead, until its hour or lease ends.
            at_ns = seal.last_ns if seal.vault is VaultName.TRAFFIC else seal.first_ns
            last_ns = at_ns if last_ns is None else max(last_ns, at_ns or 0)
    loose = [(one.key_id, one.file) for one in catalogue.envelopes.values()]
    loose += [(one.key_id, one.file) for one in catalogue.adopted.values()]
    size += sum(file.size_bytes for key_id, file in loose if key_id not in catalogue.destroyed)
    return Kept(
        {
            vault: KeptVault(
                tuple(sorted(day for of, day in living if of is vault)), segments[vault], records[vault]
            )
            for vault in VaultName
        },
        tuple(sorted({day for _, day in living})),
        tuple(Going(on, day, vault) for on, day, vault in going),
        size,
        taken,
        last_ns,
    )


def _goes_on(
    catalogue: Catalogue, config: BoxConfig, vault: VaultName, day: dt.date, today: dt.date
) -> dt.date:
    """The first day on which a vault's day may be destroyed: its term is over, and no hold keeps it."""
    hold = holds.keeping(catalogue, vault, day, today) if catalogue.holds else None
    over = policy.destroyed_on(day, config.term_years[vault])
    return max(over, holds.free_on(hold)) if hold else over
