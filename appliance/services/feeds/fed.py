"""What a feeding takes in: channels of whoever speaks in files, and what one file came to."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from appliance.feeds.clocks import NOT_KNOWN
from appliance.feeds.decoders import decoder_of
from appliance.feeds.told import Messages, Told
from appliance.model.addresses import ip_text
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.reasons import Note, Refusal
from appliance.model.source_names import of_fed, of_fed_file
from appliance.services.feeds.gate import Declarations
from appliance.services.feeds.guarded import Guarded, defect
from appliance.services.feeds.intake import Channel, Intake
from appliance.services.recording.recording import Recording

CHANNEL_LIMIT = 4096
"""Senders, or connections, that are followed at once: beyond, the one that was quiet longest is let go."""

LOT_BYTES = 1 << 20
"""What is decoded at a time: the rows of the shortest flow records take 25 times their own octets."""

NAMED_SENDERS = 256
DEFECTS_SAID = 10
_NOT_OF_THE_KIND = frozenset(
    {Refusal.BAD_VERSION, Refusal.BAD_MESSAGE, Refusal.BAD_LENGTH, Refusal.CUT_SHORT, Refusal.EMPTY,
     Refusal.NOT_UNDERSTOOD, Refusal.UNDATED, Refusal.NOT_FOR_US}
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """What somebody says of the files: the kind, and settings that count more than those declared.

    `source` is who speaks in all of them. `port` is where it was sent to, in captures; None: the usual ones.
    """

    kind: FeedKind
    source: DeclaredSource | None = None
    time_zone: str = ""
    grammar: str = ""
    port: int | None = None

    def settings(self, declared: DeclaredSource | None) -> DeclaredSource:
        """With which settings a sender is read."""
        source = self.source or declared or DeclaredSource("")
        return replace(
            source, time_zone=self.time_zone or source.time_zone, grammar=self.grammar or source.grammar
        )


@dataclass
class Outcome:
    """What one file came to."""

    messages: int = 0
    told: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    undeclared: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def is_of_the_kind(self) -> bool:
        """Whether anything in it was what it was given as, even if it then told nothing."""
        foreign = sum(count for word, count in self.refused.items() if word in _NOT_OF_THE_KIND)
        return self.told > 0 or self.refused.total() > foreign or self.messages > foreign


class FedMessages:
    """Messages out of files on their way into an intake at work. `progress` is told the bytes read so far.

    `written_ns`: when the log that is read was last written.
    """

    def __init__(
        self,
        at_work: Recording[Intake],
        order: Order,
        declared: Sequence[DeclaredSource],
        progress: Callable[[int], None],
    ) -> None:
        self.order = order
        self.outcome = Outcome()
        self.latest_ns = 0
        self.done_bytes = 0
        self.written_ns = NOT_KNOWN
        self._at_work = at_work
        self._intake = at_work.recorder
        self._declarations = Declarations(declared)
        self._progress = progress
        self._complained: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._channels: dict[Hashable, Channel] = {}

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self._at_work.stopping.is_set()

    def close(self) -> None:
        """No more files."""
        for key in list(self._channels):
            self.let_go(key)

    def number(self, name: str, refused: Refusal | None = None) -> int:
        """The number of a source of that name."""
        if name not in self._numbers:
            self._numbers[name] = self._intake.number_source(name)
        if refused:
            self._intake.sources[self._numbers[name]].refused[refused] += 1
        return self._numbers[name]

    def count(self, number: int, note: Note, count: int) -> None:
        """Note something of a source."""
        self._intake.sources[number].noted[note] += count

    def channel(self, key: Hashable, name: Callable[[], tuple[str, DeclaredSource]]) -> Channel:
        """The channel of that key; `name` says of a new one how its source is called, and its settings."""
        channel = self._channels.pop(key, None)
        if channel is None:
            if len(self._channels) >= CHANNEL_LIMIT:
                self.let_go(next(iter(self._channels)))
            called, settings = name()
            make = partial(decoder_of, self.order.kind, self._intake.texts, settings, lambda: self.written_ns)
            decoder = Guarded(make, self._complain)
            channel = self._intake.open(self.number(called), decoder)
        self._channels[key] = channel  # at the end: the one that spoke last
        return channel

    def let_go(self, key: Hashable) -> None:
        """Nothing more comes of this one."""
        channel = self._channels.pop(key, None)
        if channel is not None:
            self._intake.close(channel, self.latest_ns)

    def sender(self, file_name: str, sender: tuple[int, int]) -> tuple[str, DeclaredSource]:
        """The source of a sender in a capture. An address is in no name: names stand in the chain."""
        order = self.order
        declared = order.source or self._declarations.match(order.kind, ip_text(*sender), 0)
        settings = order.settings(declared)
        if declared:
            return of_fed(declared.label), settings
        undeclared = self.outcome.undeclared
        count = min(undeclared.setdefault(sender, len(undeclared) + 1), NAMED_SENDERS)
        return of_fed_file(file_name if count == 1 else f"{file_name} sender {count}"), settings

    def take(
        self, channel: Channel, payloads: Sequence[bytes], instants: Sequence[int], read_bytes: int
    ) -> None:
        """Record messages that came at these instants, 0 where nobody knows; `read_bytes` into the file."""
        begin, size_bytes = 0, 0
        for end, payload in enumerate(payloads, 1):
            size_bytes += len(payload)
            if size_bytes >= LOT_BYTES or end == len(payloads):
                self._take(channel, payloads[begin:end], instants[begin:end])
                begin, size_bytes = end, 0
        if self._at_work.is_due:
            self._at_work.say()
        if read_bytes:
            self._progress(self.done_bytes + read_bytes)

    def _take(self, channel: Channel, payloads: Sequence[bytes], instants: Sequence[int]) -> None:
        told = self._intake.take(channel, Messages(np.array(instants, np.int64), payloads))
        self.outcome.messages += len(payloads)
        self.outcome.told += len(told.flows) + len(told.claims) + len(told.translations)
        self.outcome.refused.update(told.refused)
        self._date(channel, told, instants[-1])
        if self.latest_ns:
            self._intake.register.pass_time(self.latest_ns, live=False)

    def _date(self, channel: Channel, told: Told, received_ns: int) -> None:
        """A file that does not know when it came covers the time that it tells of."""
        if received_ns:
            self.latest_ns = max(self.latest_ns, received_ns)
            return
        spans = [(rows[first].min(), rows[last].max()) for rows, first, last in (
            (told.flows, "first", "last"), (told.claims, "seen", "seen"), (told.translations, "seen", "seen")
        ) if len(rows)]  # fmt: skip
        source = channel.source
        for first, last in spans:
            source.first_ns = int(first) if source.first_ns is None else min(source.first_ns, int(first))
            source.last_ns = int(last) if source.last_ns is None else max(source.last_ns, int(last))
            self.latest_ns = max(self.latest_ns, int(last))

    def refuse(self, channel: Channel, refused: Counter[str]) -> None:
        """Count what never became a message, and forget that it was counted."""
        channel.source.refused.update(refused)
        self.outcome.refused.update(refused)
        refused.clear()

    def note(self, sentence: str) -> None:
        """Something a person should know at the end."""
        self._at_work.report.notes.append(sentence)

    def _complain(self, error: Exception) -> None:
        sentence = defect(error)
        if sentence not in self._complained and len(self._complained) < DEFECTS_SAID:
            self._complained.add(sentence)
            self.note(sentence)
