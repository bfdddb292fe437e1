"""Observation domains: the templates, the sampling and the numbering that hold for one stream of records."""

from collections import Counter
from dataclasses import dataclass, field
from struct import Struct

from appliance.feeds.netflow.headers import IPFIX, V5, V9
from appliance.feeds.netflow.sampling import Sampling
from appliance.feeds.netflow.sequence import Sequence
from appliance.feeds.netflow.surroundings import Outgoing, Senders
from appliance.feeds.netflow.templates import BadTemplate, Template, compile_template
from appliance.model.instants import NS
from appliance.model.reasons import Note, Refusal

DOMAINS_LIMIT = 128
TEMPLATES_LIMIT = 1024
FIELDS_LIMIT = 32_768
"""Of one sender. Large chassis have a domain for each line card, and some dozens of templates of 20 to 60
fields."""

COMPILED_LIMIT = 128
"""Definitions that are remembered with what they were compiled to, which takes 80 to 450 us."""

LIFETIME_NS = 1800 * NS
"""What is neither sent nor used for so long is forgotten once half the room is taken: three times the usual
period of sending templates anew (RFC 5153 section 6.2). Not sooner, because over TCP they are sent but
once."""

_PAIR = Struct("!HH")
_TRIPLE = Struct("!HHH")

_V5_FIELDS = (
    *((8, 4), (12, 4), (15, 4), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2)),
    *((210, 1), (6, 1), (4, 1), (5, 1), (16, 2), (17, 2), (9, 1), (13, 1), (210, 2)),
)
V5_TEMPLATE = compile_template(V5, 0, b"".join(_PAIR.pack(*each) for each in _V5_FIELDS), None)
"""A v5 record as v9 would describe it."""


@dataclass(eq=False, slots=True)
class Domain:
    """One observation domain (v9: source id; v5: engine) of one version."""

    version: int
    number: int
    templates: dict[int, Template] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    sequence: Sequence = field(default_factory=Sequence)
    outgoing: Outgoing = field(default_factory=Outgoing)
    used: dict[int, int] = field(default_factory=dict)  # template to when it was last sent or used (ns)
    heard: int = 0


class Domains:
    """The domains of one exporter, and who sends to it. Counts what is wrong with their templates."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.noted: Counter[str] = Counter()
        self.templates = self.fields = 0
        self.senders = Senders()
        self._domains: dict[tuple[int, int], Domain] = {}
        self._compiled: dict[tuple[int, int, bytes, int | None], Template] = {}

    def domain(self, version: int, number: int, now_ns: int) -> Domain | None:
        """That domain, a new one if need be; None beyond the limit."""
        found = self._domains.get((version, number))
        if found is None:
            if len(self._domains) >= DOMAINS_LIMIT:
                self.refused[Refusal.TOO_MANY] += 1
                return None
            found = self._domains[version, number] = Domain(version, number)
        found.heard = now_ns
        return found

    def all(self) -> list[Domain]:
        """Every domain heard of."""
        return list(self._domains.values())

    def define(self, domain: Domain, octets: bytes, options: bool, now_ns: int) -> list[Template]:
        """Take a set of templates; the new and the changed ones."""
        defined: list[Template] = []
        at = 0
        while at + 4 <= len(octets):
            number, count = _PAIR.unpack_from(octets, at)
            if number == 0 and not any(octets[at:]):
                break  # padding
            if domain.version == IPFIX and count == 0:
                self._withdraw(domain, number, options)
                at += 4
                continue
            start, end, scopes = _extent(domain.version, octets, at, options)
            if number < 256 or end > len(octets) or scopes == -1:
                self.refused[Refusal.BAD_TEMPLATE] += 1
                break
            template = self._take(domain, number, octets[start:end], scopes if options else None, now_ns)
            if template is not None:
                defined.append(template)
            at = end
        return defined

    def _take(
        self, domain: Domain, number: int, definition: bytes, scopes: int | None, now_ns: int
    ) -> Template | None:
        known = domain.templates.get(number)
        if known is not None and known.definition == definition and known.options == (scopes is not None):
            domain.used[number] = now_ns
            return None
        room = FIELDS_LIMIT - self.fields + (known.width if known else 0)
        if (known is None and self.templates >= TEMPLATES_LIMIT) or len(definition) // 8 > room:
            self.refused[Refusal.BAD_TEMPLATE] += 1
            return None
        try:
            template = self._compile(domain.version, number, definition, scopes)
        except BadTemplate:
            self.refused[Refusal.BAD_TEMPLATE] += 1
            return None
        if template.width > room:
            self.refused[Refusal.BAD_TEMPLATE] += 1
            return None
        self.fields = FIELDS_LIMIT - room + template.width
        if known is None:
            self.templates += 1
        else:
            self.noted[Note.TEMPLATE_CHANGED] += 1
        self.noted[Note.UNKNOWN_FIELD] += template.unknown
        domain.templates[number] = template
        domain.used[number] = now_ns
        return template

    def _compile(self, version: int, number: int, definition: bytes, scopes: int | None) -> Template:
        """The template of this definition, once for all domains, and for devices that go back and forth."""
        key = (version, number, definition, scopes)
        template = self._compiled.get(key)
        if template is None:
            template = compile_template(version, number, definition, scopes)
            if len(self._compiled) >= COMPILED_LIMIT:
                self._compiled.clear()
            self._compiled[key] = template
        return template

    def _withdraw(self, domain: Domain, number: int, options: bool) -> None:
        """RFC 7011 section 8.1: one template, or all of a kind (numbers 2 and 3)."""
        if number >= 256:
            gone = [number] if number in domain.templates else []
        elif number != 2 + options:
            self.refused[Refusal.BAD_TEMPLATE] += 1
            return
        else:
            gone = [each for each, known in domain.templates.items() if known.options == options]
        self._forget(domain, gone)

    def _forget(self, domain: Domain, gone: list[int]) -> None:
        for each in gone:
            self.fields -= domain.templates.pop(each).width
            domain.used.pop(each, None)
        self.templates -= len(gone)

    def expire(self, now_ns: int) -> None:
        """Forget what has not been heard of for too long, where room is getting short."""
        if self.templates * 2 > TEMPLATES_LIMIT or self.fields * 2 > FIELDS_LIMIT:
            for domain in self._domains.values():
                old = [each for each, used_ns in domain.used.items() if now_ns - used_ns > LIFETIME_NS]
                self._forget(domain, old)
        if len(self._domains) * 2 > DOMAINS_LIMIT:
            for key, domain in list(self._domains.items()):
                if now_ns - domain.heard > LIFETIME_NS:
                    self._forget(domain, list(domain.templates))
                    del self._domains[key]


def _extent(version: int, octets: bytes, at: int, options: bool) -> tuple[int, int, int]:
    """(start, end, scope fields) of a template's field specifiers; scopes -1 if it cannot be."""
    _, count = _PAIR.unpack_from(octets, at)
    if not options:
        return at + 4, at + 4 + _specifiers(version, octets, at + 4, count), 0
    if at + 6 > len(octets):
        return at, len(octets) + 1, -1
    _, first, second = _TRIPLE.unpack_from(octets, at)
    if version == V9:  # octets of scopes, then of the other fields (RFC 3954 section 6.1)
        wrong = first % 4 or second % 4
        return at + 6, at + 6 + first + second, -1 if wrong else first // 4
    end = at + 6 + _specifiers(version, octets, at + 6, first)
    return at + 6, end, second if 0 < second <= first else -1


def _specifiers(version: int, octets: bytes, at: int, count: int) -> int:
    """Octets of so many field specifiers; more than there are if they are cut."""
    if version != IPFIX:
        return 4 * count
    start = at
    for _ in range(count):
        if at + 4 > len(octets):
            return len(octets) + 1
        at += 8 if octets[at] & 0x80 else 4
    return at - start
