"""NetFlow v5, v9 and IPFIX of one sender, or of one TCP session, to what they tell."""

from collections import Counter
from dataclasses import replace
from struct import Struct

from appliance.feeds.clocks import NOT_KNOWN
from appliance.feeds.netflow.domains import V5_TEMPLATE, Domain, Domains
from appliance.feeds.netflow.gathering import Gathering
from appliance.feeds.netflow.headers import IPFIX, V5, V9, Header, read_header
from appliance.feeds.netflow.records import Columns, Head, Sets, cut_records
from appliance.feeds.netflow.sequence import NOT_COUNTED, ways_of
from appliance.feeds.netflow.templates import Template
from appliance.feeds.netflow.totals import Totals
from appliance.feeds.netflow.waiting import Lobby, Waiting
from appliance.feeds.told import Messages, Told
from appliance.model.reasons import Note, Refusal
from appliance.model.texts import Texts

_PAIR = Struct("!HH")
_SETS = {V9: (0, 1), IPFIX: (2, 3)}
"""Numbers of the sets that hold templates, and options templates."""


class NetflowDecoder:
    """What one sender exports. Bounded: domains, templates, fields, totals, data that must wait."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._domains = Domains()
        self._lobby = Lobby()
        self._refused: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()
        self._lost = 0
        self._totals = Totals()
        self._gathering = Gathering(texts, self._domains.senders, self._totals)

    def decode(self, messages: Messages) -> Told:
        """Take messages in order of their arrival; data before its template is told when that comes."""
        for received, message in zip(messages.received_ns.tolist(), messages.payloads, strict=True):
            self._take(message, received)
        if len(messages):
            self._pass_time(int(messages.received_ns[-1]))
        return self._told()

    def expire(self, now_ns: int) -> Told:
        """Give up data whose template never came and numbers that never arrived; forget what is not used."""
        self._pass_time(now_ns)
        return self._told()

    def _told(self) -> Told:
        gathering, domains = self._gathering, self._domains
        gathering.read()
        refused = self._refused + gathering.refused + domains.refused
        refused += Counter({Refusal.NO_TEMPLATE: self._lobby.given_up})
        noted = self._noted + gathering.noted + domains.noted
        lost = Counter({"sequence": self._lost}) if self._lost else Counter()
        told = Told(gathering.flows(), gathering.claims(), gathering.translations(), refused, noted, lost)
        self._gathering = Gathering(self._texts, domains.senders, self._totals)
        self._refused, self._noted, self._lost = Counter(), Counter(), 0
        domains.refused, domains.noted = Counter(), Counter()
        self._lobby.given_up = 0
        return told

    def _pass_time(self, now_ns: int) -> None:
        if now_ns == NOT_KNOWN:
            return
        self._lobby.expire(now_ns)
        for domain in self._domains.all():
            domain.sequence.settle(now_ns)
            self._count(domain)
        self._domains.expire(now_ns)

    def _count(self, domain: Domain) -> None:
        sequence = domain.sequence
        self._lost += sequence.lost
        self._noted[Note.SEQUENCE_RESTARTED] += sequence.restarts
        sequence.lost = sequence.restarts = 0

    def _take(self, datagram: bytes, received: int) -> None:
        """Take what is in one datagram: one message, yet nothing forbids more."""
        while True:
            header = read_header(datagram)
            if header is None:
                self._refused[Refusal.BAD_MESSAGE] += 1
                return
            self._take_message(header, datagram, received)
            rest = datagram[header.end :]
            if header.short or not any(rest):
                return
            if rest[:2] != datagram[:2]:
                self._refused[Refusal.BAD_LENGTH] += 1
                return
            datagram = rest

    def _take_message(self, header: Header, message: bytes, received: int) -> None:
        self._refused[Refusal.CUT_SHORT] += header.short
        domain = self._domains.domain(header.version, header.domain, received)
        if domain is None:
            return
        head = (received, header.exported, header.uptime)
        if header.version == V5:
            records = self._take_v5(domain, header, message, head)
        else:
            records = self._take_sets(domain, header, message, head)
        stated = _PAIR.unpack_from(message)[1]
        ways = ways_of(header.version, records, stated)
        domain.sequence.observe(header.sequence, ways, header.uptime, received)
        if domain.sequence.lost or domain.sequence.restarts:
            self._count(domain)

    def _take_v5(self, domain: Domain, header: Header, message: bytes, head: Head) -> int:
        """How many records a v5 message says it has."""
        if domain.sampling.rate != header.sampling:
            self._gathering.read()
            domain.sampling.rate = header.sampling
        octets = message[header.start : header.end]
        self._gathering.add(domain, V5_TEMPLATE, octets, len(octets) // V5_TEMPLATE.size, head)
        return int(_PAIR.unpack_from(message)[1])

    def _take_sets(self, domain: Domain, header: Header, message: bytes, head: Head) -> int:
        """How many data records the sets of a message hold; NOT_COUNTED if that is not known."""
        at, end, version = header.start, header.end, header.version
        template_sets, options_sets = _SETS[version]
        total = 0
        while at + 4 <= end:
            number, length = _PAIR.unpack_from(message, at)
            if length < 4 or at + length > end:
                if any(message[at:end]) and not header.short:  # not just padding
                    self._refused[Refusal.BAD_LENGTH if length < 4 else Refusal.CUT_SHORT] += 1
                    total = NOT_COUNTED
                break
            octets = message[at + 4 : at + length]
            at += length
            if number >= 256:
                count = self._take_data(domain, number, octets, head)
                total = NOT_COUNTED if NOT_COUNTED in (total, count) else total + count
            elif number in (template_sets, options_sets):
                self._define(domain, octets, number == options_sets, head[0])
            else:
                self._refused[Refusal.BAD_MESSAGE] += 1
        return total

    def _define(self, domain: Domain, octets: bytes, options: bool, received: int) -> None:
        for template in self._domains.define(domain, octets, options, received):
            for each in self._lobby.claim((domain.version, domain.number, template.number)):
                self._take_data(domain, template.number, each.octets, each.head)

    def _take_data(self, domain: Domain, number: int, octets: bytes, head: Head) -> int:
        template = domain.templates.get(number)
        if template is None:
            self._lobby.keep(Waiting((domain.version, domain.number, number), octets, head, head[0]))
            return NOT_COUNTED
        domain.used[number] = max(domain.used[number], head[0])
        records, count, whole = cut_records(template, octets, self._texts.number)
        if not whole:
            self._refused[Refusal.CUT_SHORT] += 1
        if template.options:
            self._take_options(domain, template, records, count, head)
        elif count:
            self._gathering.add(domain, template, records, count, head)
        return count if whole else NOT_COUNTED

    def _take_options(
        self, domain: Domain, template: Template, records: bytes, count: int, head: Head
    ) -> None:
        if not count or not template.reads("interval", "chosen", "init_ms"):
            return
        sets = Sets()
        sets.add(records, count, (*head, 0))
        sampling = replace(domain.sampling, named=dict(domain.sampling.named))
        if sampling.learn(Columns(template, sets, self._texts)):
            self._gathering.read()  # what came before was not under what is said now
            domain.sampling = sampling
