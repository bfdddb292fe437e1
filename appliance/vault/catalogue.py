"""The catalogue: what the entries of a chain say together exists in a home. Pure."""

import copy
import dataclasses
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.model.coverage import Coverage
from appliance.vault.chain import Entry
from appliance.vault.names import VaultName
from appliance.vault.seals import (
    Adoption,
    Custodians,
    Destroyed,
    DestructionOrdered,
    EnvelopeMade,
    Hold,
    HoldEnded,
    Init,
    Interruption,
    Rollback,
    Seal,
)


@dataclass
class Catalogue:
    """Entries by what they are about; keys by `key_id`, files by name (names are unique in a home)."""

    envelopes: dict[str, EnvelopeMade] = field(default_factory=dict)
    seals: list[Seal] = field(default_factory=list)
    adopted: dict[str, Adoption] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    interruptions: list[Interruption] = field(default_factory=list)
    ordered: set[str] = field(default_factory=set)
    orders: list[DestructionOrdered] = field(default_factory=list)
    destroyed: set[str] = field(default_factory=set)
    certificates: list[tuple[int, Destroyed]] = field(default_factory=list)
    custodians: list[tuple[int, tuple[str, ...], int]] = field(default_factory=list)
    """(seq of the line that states them, recipients, quorum), in order."""
    holds: dict[str, Hold] = field(default_factory=dict)
    """Preservation orders by reference, those whose date has passed and those lifted among them."""
    lifted: set[str] = field(default_factory=set)
    """References of holds that were ended before their date."""
    rolled_back: bool = False
    _stated: dict[tuple[str, str], dict[tuple[int, int], Coverage]] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    """By run and source: put together when it is first asked for, a year of seals at once."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Catalogue":
        catalogue = cls()
        for entry in entries:
            catalogue.add(entry)
        return catalogue

    def copy(self) -> "Catalogue":
        """The same, to be added to; who reads this one sees nothing of it."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}
        return Catalogue(**{name: copy.copy(value) for name, value in fields.items()})

    def add(self, entry: Entry) -> None:
        """Take one more entry, in the order of the chain."""
        match entry.body:
            case Seal() as seal:
                self.seals.append(seal)
                self.replaced.update(seal.replaces)
                self._state(seal)
            case EnvelopeMade() as envelope:
                self.envelopes[envelope.key_id] = envelope
            case Adoption() as adoption:
                self.adopted[adoption.file.name] = adoption
            case Interruption() as interruption:
                self.interruptions.append(interruption)
            case (
                Init(custodians=custodians, quorum=quorum) | Custodians(custodians=custodians, quorum=quorum)
            ):
                self.custodians.append((entry.seq, custodians, quorum))
            case Rollback():
                self.rolled_back = True
            case _:
                self._end(entry)

    def _end(self, entry: Entry) -> None:
        """Take an entry that says what goes, or may not go."""
        match entry.body:
            case DestructionOrdered(key_ids=key_ids) as order:
                self.ordered.update(key_ids)
                self.orders.append(order)
            case Destroyed(key_ids=key_ids) as certificate:
                self.destroyed.update(key_ids)
                self.certificates.append((entry.at_ns, certificate))
            case Hold(reference=reference) as hold:
                self.holds[reference] = hold
                self.lifted.discard(reference)
            case HoldEnded(reference=reference):
                self.lifted.add(reference)

    @property
    def segment_files(self) -> set[str]:
        return {file.name for seal in self.seals for file in seal.files}

    @property
    def interrupted(self) -> set[str]:
        return {interruption.run for interruption in self.interruptions}

    @property
    def run_of_key(self) -> dict[str, str]:
        return {key_id: envelope.run for key_id, envelope in self.envelopes.items()}

    def sealed_by(self, run: str, source: str) -> list[Coverage]:
        """What one run has sealed of one source, each period once though several vaults may state it."""
        if self._stated is None:
            self._stated = {}
            for seal in self.seals:
                self._state(seal)
        return list(self._stated.get((run, source), {}).values())

    def _state(self, seal: Seal) -> None:
        """Take a seal into what runs have stated, if somebody has asked for that."""
        if self._stated is not None:
            for part in seal.coverage:
                periods = self._stated.setdefault((seal.run, part.source), {})
                periods[part.first_ns, part.last_ns] = part

    def holding(self, vault: VaultName, day: dt.date) -> list[Hold]:
        """The holds whose scope has this vault's day and that nobody lifted.

        Whether their date has passed is for the caller, who knows what day it is.
        """
        return [
            hold
            for reference, hold in self.holds.items()
            if reference not in self.lifted and hold.covers(vault, day)
        ]

    def living_keys(self) -> dict[tuple[VaultName, dt.date], list[str]]:
        """The keys not destroyed, by vault and day."""
        living: dict[tuple[VaultName, dt.date], list[str]] = {}
        for key_id, made in self.envelopes.items():
            if key_id not in self.destroyed:
                living.setdefault((made.vault, made.day), []).append(key_id)
        return living
