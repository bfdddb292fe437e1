"""The intake of feeds: messages in, sealed records out."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from appliance.config.box import BoxConfig
from appliance.feeds.told import Decoder, Messages, Rows, Told
from appliance.flows.pairing import MULTIPLIERS, Pairing
from appliance.identity.bindings import OF_FEEDS, Bindings
from appliance.identity.inferred import claims_of
from appliance.identity.translations import Translations
from appliance.model.networks import Networks
from appliance.model.reasons import Note, Refusal
from appliance.model.rows import FED_TRAFFIC
from appliance.runtime.clock import now_ns
from appliance.services.recording.counts import SourceCounts
from appliance.services.recording.ledger import Ledger
from appliance.services.recording.register import OpenBindings, Register
from appliance.services.recording.totals import Totals
from appliance.vault.names import VaultName
from appliance.vault.writer import VaultWriter

_NEVER_NS = (1 << 63) - 1
"""Nothing is waited for any longer."""


@dataclass
class Channel:
    """One sender on one port, or one connection: a decoder, and the source whose counters it adds to."""

    number: int
    source: SourceCounts
    decoder: Decoder


class Intake:
    """Records what feeds tell. `monotonic` gives seconds, only to pace journal and retries."""

    def __init__(
        self,
        config: BoxConfig,
        vaults: Mapping[VaultName, VaultWriter],
        totals: Totals,
        monotonic: Callable[[], float],
    ) -> None:
        ledger = Ledger(vaults, FED_TRAFFIC, config.row_limit, monotonic)
        self.texts = ledger.texts
        self.sources = ledger.sources
        networks = Networks.of(config.client_networks)
        multipliers = np.frombuffer(os.urandom(8 * MULTIPLIERS), np.uint64)
        self._pairing = Pairing(networks, config.flow_limit, multipliers)
        self._networks = networks
        self._bindings = Bindings(OF_FEEDS, by_source=True)
        self._translations = Translations()
        self._totals = totals
        self._moved = (0, 0)
        bindings: list[OpenBindings] = [self._bindings, self._translations]
        self.register = Register(ledger, self._pairing, bindings, totals, config.row_limit, monotonic)

    def number_source(self, name: str, live: bool = False) -> int:
        """A new source; its number."""
        self.sources.append(SourceCounts(name, live))
        self.sources[-1].kept(now_ns())
        return len(self.sources) - 1

    def open(self, number: int, decoder: Decoder) -> Channel:
        """A channel of a source."""
        return Channel(number, self.sources[number], decoder)

    def take(self, channel: Channel, messages: Messages) -> Told:
        """Record what messages tell, and return it; answers are for after a successful `register.journal`."""
        told = channel.decoder.decode(messages)
        channel.source.hear(messages)
        self.keep(channel.number, told, int(messages.received_ns[-1]))
        return told

    def expire(self, channel: Channel, now_ns: int) -> None:
        """Let a channel give up what it waits for in vain."""
        self.keep(channel.number, channel.decoder.expire(now_ns), now_ns)

    def close(self, channel: Channel, now_ns: int) -> None:
        """Nothing more will come by a channel: it gives up whatever it waits for."""
        self.keep(channel.number, channel.decoder.expire(_NEVER_NS), now_ns)

    def moved(self) -> tuple[int, int]:
        """Packets and octets of the flows told so far, sampled ones multiplied up."""
        return self._moved

    def finish(self, now_ns: int) -> None:
        """Listening ends: close and seal everything. Raises StorageError if the disk refuses to the end."""
        self.register.close()
        for source in self.sources[-1:]:
            self._note(source)
        self.register.finish(now_ns)

    def keep(self, number: int, told: Told, now_ns: int) -> None:
        """Record what somebody told, in the name of a source."""
        source = self.sources[number]
        source.refused.update(told.refused)
        source.noted.update(told.noted)
        source.lost.update(told.lost)
        flows = self._evidence(told.flows)
        if len(told.flows):
            self._add_up(told.flows)
        if len(flows) < len(told.flows):
            source.refused[Refusal.SAMPLED.value] += len(told.flows) - len(flows)
        rows = self._pairing.add(flows, number, now_ns)
        if len(rows):
            self.register.keep(rows)
        # What tells nothing may be one of very many forged messages: it costs no more than it must.
        for claims in (told.claims, claims_of(flows, self._networks) if len(flows) else told.claims[:0]):
            if len(claims):
                self.register.meet(claims)
                self.register.hold(self._bindings.observe(claims, number))
        if len(told.translations):
            self.register.hold(self._translations.observe(told.translations, number))
        self._note(source)

    def _evidence(self, flows: Rows) -> Rows:
        """Flows that are recorded; sampled ones are multiplied up, counted in statistics, and forgotten."""
        sampled = flows["sampling"] > 1
        if not sampled.any():
            return flows
        rows = flows[sampled].copy()
        for name in ("packets", "octets", "packets_back", "octets_back"):
            rows[name] *= rows["sampling"]
        oriented = self._pairing.oriented(rows, 0)
        self._totals.keep(oriented)
        self.register.see(oriented)
        return flows[~sampled]

    def _add_up(self, flows: Rows) -> None:
        rate = np.maximum(flows["sampling"], 1)
        packets, octets = self._moved
        packets += int(((flows["packets"] + flows["packets_back"]) * rate).sum())
        octets += int(((flows["octets"] + flows["octets_back"]) * rate).sum())
        self._moved = packets, octets

    def _note(self, source: SourceCounts) -> None:
        told = {"text_refused": self.texts.refused, Note.FLOW_REPEATED.value: self._pairing.repeated}
        self.register.note(source, told)
