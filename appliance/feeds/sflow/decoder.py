"""sFlow version 5 of one sender to what it tells (sflow.org/sflow_version_5.txt).

Everything is sampled: rows have `sampling` of 2 or more, are counted in statistics and recorded nowhere.
There is no clock in a datagram: a packet was seen when it was told.
"""

from collections import Counter
from dataclasses import dataclass, field

from appliance.feeds.clocks import NOT_KNOWN
from appliance.feeds.netflow.sequence import Sequence
from appliance.feeds.sflow.reader import CutShortError, Reader
from appliance.feeds.sflow.samples import Sample, flow_sample
from appliance.feeds.sflow.stating import stated
from appliance.feeds.told import Messages, Told
from appliance.model.instants import HOUR_NS
from appliance.model.reasons import Note, Refusal
from appliance.model.texts import Texts
from appliance.wire.decode import Decoder

VERSION = 5
_FLOW, _FLOW_EXPANDED = 1, 3
_COUNTERS = (2, 4)

_AGENTS_LIMIT = 64
"""Numberings of one sender; a chassis has one for each of its cards."""

_DATA_SOURCES_LIMIT = 4096
"""Interfaces of one numbering whose dropped samples are followed."""

_BY_DATAGRAM = ((0, 1),)  # the only way to number them
_FORGOTTEN_NS = HOUR_NS
_WRAP = 1 << 32


@dataclass
class _Agent:
    """One numbering of datagrams: of a sub-agent of an agent."""

    heard_ns: int = 0
    sequence: Sequence = field(default_factory=Sequence)
    drops: dict[int, int] = field(default_factory=dict)


class SflowDecoder:
    """What one sender samples. Bounded: numberings, and interfaces of each."""

    def __init__(self, texts: Texts) -> None:
        self._agents: dict[bytes, _Agent] = {}
        self._wire = Decoder()
        self._refused: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()

    def decode(self, messages: Messages) -> Told:
        """Take datagrams in order of their arrival."""
        samples: list[Sample] = []
        for received, message in zip(messages.received_ns.tolist(), messages.payloads, strict=True):
            try:
                self._take(Reader(message), received, samples)
            except CutShortError:
                self._refused[Refusal.BAD_MESSAGE] += 1
        dated = [sample for sample in samples if sample.received_ns != NOT_KNOWN]
        self._refused[Refusal.UNDATED] += len(samples) - len(dated)
        return self._told(dated)

    def expire(self, now_ns: int) -> Told:
        """Count the datagrams that will not come any more; forget numberings that ended."""
        for name, agent in list(self._agents.items()):
            agent.sequence.settle(now_ns)
            self._count(agent)
            if now_ns - agent.heard_ns > _FORGOTTEN_NS:
                del self._agents[name]
        return self._told([])

    def _told(self, samples: list[Sample]) -> Told:
        flows = stated(samples, self._wire, self._refused, self._noted)
        told = Told(flows, refused=+self._refused, noted=+self._noted, lost=+self._lost)
        self._refused, self._noted, self._lost = Counter(), Counter(), Counter()
        return told

    def _take(self, reader: Reader, received_ns: int, samples: list[Sample]) -> None:
        if reader.number() != VERSION:
            self._refused[Refusal.BAD_VERSION] += 1
            return
        family = reader.number()
        if family not in (1, 2):
            raise CutShortError
        name = reader.take(8 if family == 1 else 20)  # the agent's address, and the sub-agent's number
        number, uptime, count = reader.numbers(3)
        agent = self._agent(name)
        if agent is None:
            self._refused[Refusal.TOO_MANY] += 1
            return
        agent.heard_ns = received_ns
        agent.sequence.observe(number, _BY_DATAGRAM, uptime, received_ns)
        self._count(agent)
        for _ in range(min(count, reader.left // 8 + 1)):
            form, body = reader.number(), reader.opaque()
            if form in (_FLOW, _FLOW_EXPANDED):
                sample = flow_sample(body, form == _FLOW_EXPANDED, received_ns, self._refused, self._noted)
                if sample is not None:
                    self._follow_drops(agent, sample)
                    samples.append(sample)
            elif form in _COUNTERS:
                self._refused[Refusal.NOTHING_TO_KEEP] += 1
            else:
                self._refused[Refusal.NOT_UNDERSTOOD] += 1

    def _agent(self, name: bytes) -> _Agent | None:
        if name not in self._agents and len(self._agents) >= _AGENTS_LIMIT:
            return None
        return self._agents.setdefault(name, _Agent())

    def _count(self, agent: _Agent) -> None:
        sequence = agent.sequence
        self._lost["sequence"] += sequence.lost
        self._noted[Note.SEQUENCE_RESTARTED] += sequence.restarts
        sequence.lost = sequence.restarts = 0

    def _follow_drops(self, agent: _Agent, sample: Sample) -> None:
        """A device counts, for each interface, the samples that it could not take."""
        before = agent.drops.get(sample.data_source)
        if before is None and len(agent.drops) >= _DATA_SOURCES_LIMIT:
            return
        agent.drops[sample.data_source] = sample.drops
        grown = 0 if before is None else (sample.drops - before) % _WRAP
        if grown < _WRAP // 2:  # else it began anew
            self._lost["sampler"] += grown
