"""The recorder of a mirror: frames in, sealed records out."""

import os
from collections.abc import Callable, Mapping

import numpy as np

from appliance.config.box import BoxConfig
from appliance.flows.meter import MULTIPLIERS, Meter
from appliance.flows.table import Limits
from appliance.identity.bindings import Bindings
from appliance.model.frames import Frames
from appliance.model.instants import NS
from appliance.model.networks import Networks
from appliance.model.rows import TRAFFIC
from appliance.runtime.clock import now_ns
from appliance.services.recording.counts import SourceCounts
from appliance.services.recording.ledger import Ledger
from appliance.services.recording.register import Register
from appliance.services.recording.totals import Totals
from appliance.vault.names import VaultName
from appliance.vault.writer import VaultWriter
from appliance.wire.decode import Decoder
from appliance.wire.tunnels import Tunnels


class Recorder:
    """Records batches of frames. `monotonic` gives seconds, only to pace journal and retries."""

    def __init__(
        self,
        config: BoxConfig,
        vaults: Mapping[VaultName, VaultWriter],
        totals: Totals,
        monotonic: Callable[[], float],
    ) -> None:
        limits = Limits(config.idle_timeout_s * NS, config.active_timeout_s * NS, config.flow_limit)
        multipliers = np.frombuffer(os.urandom(8 * MULTIPLIERS), np.uint64)
        ledger = Ledger(vaults, TRAFFIC, config.row_limit, monotonic)
        self.alarms = ledger.alarms
        self.sources = ledger.sources
        self._totals = totals
        self._decoder = Decoder(_tunnels(config))
        self._meter = Meter(Networks.of(config.client_networks), limits, multipliers)
        self._bindings = Bindings()
        self.register = Register(ledger, self._meter, [self._bindings], totals, config.row_limit, monotonic)
        self._live = False

    def begin_source(self, name: str, live: bool = False) -> SourceCounts:
        """What is taken from now on comes from this source; its counters are returned."""
        self._live = live
        self.sources.append(SourceCounts(name, live))
        self.sources[-1].kept(now_ns())  # nothing yet, all of it durable
        return self.sources[-1]

    def take(self, frames: Frames) -> None:
        """Record one batch of frames of the current source."""
        decoded = self._decoder.decode(frames)
        source, number = self.sources[-1], len(self.sources) - 1
        source.count(frames, decoded)
        self._totals.glance(decoded.packets)
        now_ns = int(frames.time[-1])
        self.register.keep(self._meter.add(decoded.packets, number, now_ns))
        if len(decoded.claims):
            self.register.meet(decoded.claims)
            self.register.hold(self._bindings.observe(decoded.claims, number))
        self._note(source)
        self.pass_time(now_ns)

    def pass_time(self, now_ns: int) -> None:
        """Do what is due at this instant (UTC ns): journal, seal."""
        self.register.pass_time(now_ns, self._live)

    def seal(self, now_ns: int) -> None:
        """Fix everything recorded until now in segments and seals."""
        self.register.seal(now_ns)

    def moved(self) -> tuple[int, int]:
        """Packets and IP octets so far."""
        return sum(source.packets for source in self.sources), sum(source.bytes for source in self.sources)

    def finish(self, now_ns: int) -> None:
        """Recording ends: close and seal everything. Raises StorageError if the disk refuses to the end."""
        self.register.close()
        if self.sources:
            self._note(self.sources[-1])
        self.register.finish(now_ns)

    def _note(self, source: SourceCounts) -> None:
        self.register.note(source, {"duplicate": self._meter.duplicates})


def _tunnels(config: BoxConfig) -> Tunnels:
    capture = config.capture
    ends = Networks.of(capture.tunnel_ends) if capture.tunnel_ends else None
    return Tunnels(capture.vxlan_ports, ends, Networks.of(config.client_networks))
