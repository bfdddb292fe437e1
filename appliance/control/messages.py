"""Every question that the page may ask the keeper, and every answer. Pure.

One connection carries one `Request` and one answer, each a length (4 bytes, big endian) and that much JSON.
What is not of these forms is refused by the decoder. Nothing here can hold a record: the two messages that
name devices, `Present` and the senders of `Sources`, are of what is in memory at that moment.
Instants are ISO 8601 in UTC, days `YYYY-MM-DD`; both as texts.
"""

from typing import TypeAlias

from msgspec import Struct

from appliance.control.words import Check, Lapse, Level, Outcome, Period, Trouble

QUESTION_LIMIT = 1 << 20
"""Bytes of a request."""

ANSWER_LIMIT = 1 << 25
"""Bytes of an answer: a year of hours is the largest."""


class Actor(Struct, frozen=True):
    """Who wants it: a user of the page by name and role, and the address that he is at."""

    name: str
    role: str
    origin: str


# ------------------------------------------------------------------------------------------- what is asked


class Question(Struct, frozen=True, tag=True):
    """The base of everything that may be asked."""


class AskOverview(Question, frozen=True, tag=True):
    """-> Overview."""


class AskLive(Question, frozen=True, tag=True):
    """-> Live. Cheap: asked every two seconds while somebody looks at a page."""


class AskActivity(Question, frozen=True, tag=True):
    """-> Activity of the days [first_day, last_day]; of all `places` where there are none."""

    by: Period
    first_day: str
    last_day: str
    places: tuple[str, ...] = ()


class AskSources(Question, frozen=True, tag=True):
    """-> Sources."""


class AskCoverage(Question, frozen=True, tag=True):
    """-> CoverageOf the days [first_day, last_day]."""

    first_day: str
    last_day: str


class AskPresent(Question, frozen=True, tag=True):
    """-> Present."""


class AskRetention(Question, frozen=True, tag=True):
    """-> Retention."""


class AskCertificate(Question, frozen=True, tag=True):
    """-> Line: the signed line `seq` of the chain, a certificate of destruction."""

    seq: int


class AskReplication(Question, frozen=True, tag=True):
    """-> Replication."""


class AskAudit(Question, frozen=True, tag=True):
    """-> Audit: at most `count` lines before number `before`, the newest first; from the end if None."""

    before: int | None = None
    count: int = 50


class AskBox(Question, frozen=True, tag=True):
    """-> Box."""


class AskInterfaces(Question, frozen=True, tag=True):
    """-> Interfaces. `listen_s` > 0: listen to each so long, at most 5 s, to prove that a mirror arrives."""

    listen_s: float = 0.0


class AskCentral(Question, frozen=True, tag=True):
    """-> CentralIdentity: who answers at this URL, before anything is believed."""

    url: str


class AskTests(Question, frozen=True, tag=True):
    """-> Tests: everything that can be tested, tested now."""


# ------------------------------------------------------- what is changed: each is a line of the audit chain


class SetUp(Question, frozen=True, tag=True):
    """-> Done: make the home. Refused if there is one. `networks` are CIDRs, `custodians` age recipients."""

    site: str
    networks: tuple[str, ...]
    custodians: tuple[str, ...]
    quorum: int
    interfaces: tuple[str, ...] = ()
    access_points: tuple[str, ...] = ()


class ChangeBox(Question, frozen=True, tag=True):
    """-> Done: other client networks, interfaces, access points counted apart; None: as it is."""

    networks: tuple[str, ...] | None = None
    interfaces: tuple[str, ...] | None = None
    access_points: tuple[str, ...] | None = None


class DeclareSource(Question, frozen=True, tag=True):
    """-> Done: let a source speak. A source whose secret is None keeps the one it had."""

    label: str
    addresses: tuple[str, ...]
    network: str = ""
    mac: str = ""
    kinds: tuple[str, ...] = ()
    access_points: tuple[tuple[str, str], ...] = ()
    """(name, MAC), the name may be empty."""
    time_zone: str = "Europe/Paris"
    grammar: str = ""
    secret: str | None = None
    certificate: str = ""
    replace: bool = False


class ForgetSource(Question, frozen=True, tag=True):
    """-> Done: let a source speak no more."""

    label: str


class PlaceHold(Question, frozen=True, tag=True):
    """-> Done: keep these days of these vaults to the end of `until`."""

    reference: str
    vaults: tuple[str, ...]
    first_day: str
    last_day: str
    until: str


class EndHold(Question, frozen=True, tag=True):
    """-> Done: lift a hold before its date."""

    reference: str


class ConfirmBasis(Question, frozen=True, tag=True):
    """-> Done: the operator states that a basis is in force: by which text, from and to which day."""

    basis: str
    text: str
    first_day: str
    last_day: str


class SetLapse(Question, frozen=True, tag=True):
    """-> Done: what happens to a vault whose basis ends."""

    vault: str
    lapse: Lapse


class EnrolCentral(Question, frozen=True, tag=True):
    """-> Done: make a central known by its one-time code. `fingerprint` is what a person agreed to."""

    url: str
    code: str
    fingerprint: str


class NoteStep(Question, frozen=True, tag=True):
    """-> Done, `said` the number of the line: a privileged step of the page by itself, as a word of audit.

    `details["ended"]` says how it stands where that is not `done`: begun, failed, refused.
    """

    step: str
    subject: str = ""
    details: dict[str, str] = {}


Ask: TypeAlias = (
    AskOverview | AskLive | AskActivity | AskSources | AskCoverage | AskPresent | AskRetention
    | AskCertificate | AskReplication | AskAudit | AskBox | AskInterfaces | AskCentral | AskTests
    | SetUp | ChangeBox | DeclareSource | ForgetSource | PlaceHold | EndHold | ConfirmBasis | SetLapse
    | EnrolCentral | NoteStep
)  # fmt: skip


class Request(Struct, frozen=True):
    """What goes over the socket."""

    actor: Actor
    ask: Ask


# ----------------------------------------------------------------------------------------- what is answered


class Finding(Struct, frozen=True):
    """One thing that is not as it should be. `said` is the box's own sentence, for who repairs it."""

    trouble: Trouble
    level: Level
    subject: str = ""
    since: str | None = None
    count: int = 0
    said: str = ""


class SourceNow(Struct, frozen=True):
    """A source as it stands now: `kind` is interface, feed or file; `link` of an interface up, down, absent.

    `lost` are packets or messages since its run began.
    """

    name: str
    kind: str
    label: str
    network: str
    live: bool
    last: str | None
    packets: int
    records: int
    lost: int
    silent: bool
    usual_pause_s: float | None = None
    link: str | None = None
    speed_mbps: int | None = None


class Disk(Struct, frozen=True):
    """`days_left` before it is full at the pace of the last days; None where that cannot be said yet."""

    size_bytes: int
    free_bytes: int
    days_left: int | None


class CentralNow(Struct, frozen=True):
    """A central as the box sees it: what is left to send, since when, and what it has signed for."""

    name: str
    url: str
    fingerprint: str
    sending: bool
    left_objects: int
    left_bytes: int
    oldest: str | None
    receipts: int
    contact: str | None
    bytes_per_s: float | None
    findings: tuple[Finding, ...]


class Overview(Struct, frozen=True, tag=True):
    """How the box stands. `is_recording`: a source is live now. `days_kept` days hold records.

    `next_day` goes next, on the day `next_on`. `users_now` and `bits_per_s` are None where nothing says.
    """

    set_up: bool
    site: str
    level: Level
    findings: tuple[Finding, ...]
    is_recording: bool
    sources: tuple[SourceNow, ...]
    last_record: str | None
    users_now: int | None
    bits_per_s: float | None
    days_kept: int
    oldest_day: str | None
    newest_day: str | None
    next_day: str | None
    next_on: str | None
    disk: Disk | None
    centrals: tuple[CentralNow, ...]
    safe: tuple[int, int, int]
    """Segments that none, one, two or more centrals have signed for."""


class Live(Struct, frozen=True, tag=True):
    """What moves: for the stream of a page."""

    at: str
    level: Level
    findings: int
    is_recording: bool
    last_record: str | None
    users_now: int | None
    bits_per_s: float | None
    packets_per_s: float | None
    last_by_source: dict[str, str | None]
    left_objects: int


class PeriodTotals(Struct, frozen=True):
    """One hour, day, week or month that begins at `start`.

    Users lie in [least, most]; `least` None: too few to say; `most` None: at least so many.
    """

    start: str
    users_least: int | None
    users_most: int | None
    octets: int
    connections: int
    too_few: bool


class Share(Struct, frozen=True):
    """What one category, place or network came to. `clients`: the most at once, at least."""

    name: str
    octets: int
    connections: int
    clients: int


class SystemShare(Struct, frozen=True):
    """Devices of one family a day, at the most of the days: in [least, most]."""

    name: str
    least: int
    most: int | None


class Activity(Struct, frozen=True, tag=True):
    """Totals without an address. `known` is the first and last day of which there are statistics."""

    by: Period
    periods: tuple[PeriodTotals, ...]
    uses: tuple[Share, ...]
    systems: tuple[SystemShare, ...]
    places: tuple[Share, ...]
    known: tuple[str, str] | None
    systems_too_few: bool = False


class Point(Struct, frozen=True):
    """An access point that a source speaks for."""

    name: str
    mac: str
    declared: bool
    last: str | None
    silent: bool
    usual_pause_s: float | None


class Declared(Struct, frozen=True):
    """A declared source. `messages` since listening began, by kind; `lost` what of it was lost."""

    label: str
    network: str
    addresses: tuple[str, ...]
    mac: str
    kinds: tuple[str, ...]
    time_zone: str
    grammar: str
    has_secret: bool
    certificate: str
    messages: int
    by_kind: dict[str, int]
    last: str | None
    silent: bool
    usual_pause_s: float | None
    lost: dict[str, int]
    points: tuple[Point, ...]


class Stranger(Struct, frozen=True):
    """A sender that nobody declared, in memory only. `looks` is what its messages look like."""

    address: str
    mac: str
    kind: str
    looks: str
    messages: int
    kept: int
    first: str
    last: str


class Sources(Struct, frozen=True, tag=True):
    """Who may speak, who does, and what devices are to be told. `ports` by kind of feed."""

    listening: bool
    declared: tuple[Declared, ...]
    strangers: tuple[Stranger, ...]
    interfaces: tuple[SourceNow, ...]
    tls_fingerprint: str
    ports: dict[str, int]
    addresses: tuple[str, ...]
    """The box's own, that devices can send to."""


class Seen(Struct, frozen=True):
    """A period in which a source was listened to, and what of it was missed or left out, by word."""

    first: str
    last: str
    packets: int
    records: int
    lost: dict[str, int]
    noted: dict[str, int]
    refused: dict[str, int]


class Gap(Struct, frozen=True):
    """A period in which a live source gave nothing to the box."""

    first: str
    until: str


class SourceCoverage(Struct, frozen=True):
    """The periods and gaps of one source, in order."""

    source: str
    periods: tuple[Seen, ...]
    gaps: tuple[Gap, ...]


class CoverageOf(Struct, frozen=True, tag=True):
    """What was seen and what was not, as the seals state it; and by processes that live, since."""

    sources: tuple[SourceCoverage, ...]


class Device(Struct, frozen=True):
    """A device in the network now. `vendor` is None for randomised and unknown MACs."""

    mac: str
    randomised: bool
    vendor: str | None
    access_point: str
    since: str
    last: str


class Present(Struct, frozen=True, tag=True):
    """Who is connected, as processes that record hold it in memory. `known` False: none of them answers."""

    known: bool
    devices: tuple[Device, ...]
    more: int
    """So many more than are listed."""


class VaultTerm(Struct, frozen=True):
    """What one vault keeps, for how many years, and what goes next."""

    vault: str
    term_years: int
    days: int
    segments: int
    records: int
    oldest_day: str | None
    newest_day: str | None
    next_day: str | None
    next_on: str | None


class Certificate(Struct, frozen=True):
    """A day of a vault was destroyed; `seq` is its line of the chain."""

    seq: int
    at: str
    vault: str
    day: str
    keys: int
    envelopes: int
    files: int
    size_bytes: int


class Held(Struct, frozen=True):
    """A hold: `state` is holding, ended or lifted; days `kept`, of which something is left, and `gone`."""

    reference: str
    vaults: tuple[str, ...]
    first_day: str
    last_day: str
    until: str
    state: str
    placed: str
    kept: int
    gone: int


class Basis(Struct, frozen=True):
    """A legal basis as the calendar has it and the operator confirmed it.

    `state` is in-force, lapsing, lapsed or unlimited. `texts` by language say what it obliges to; `sources`
    are where it was found; a period that is confirmed has `longest_days` at most.
    """

    key: str
    vaults: tuple[str, ...]
    term_years: int
    articles: tuple[str, ...]
    texts: dict[str, str]
    sources: tuple[str, ...]
    state: str
    first_day: str | None
    last_day: str | None
    days_left: int | None
    must_confirm: bool
    confirmed_by: str | None
    confirmed_text: str | None
    longest_days: int = 366


class Retention(Struct, frozen=True, tag=True):
    """What is kept, for how long, on which basis, and what was destroyed; newest certificates first."""

    vaults: tuple[VaultTerm, ...]
    certificates: tuple[Certificate, ...]
    certificate_count: int
    holds: tuple[Held, ...]
    bases: tuple[Basis, ...]
    calendar_dated: str
    lapse: dict[str, Lapse]
    clock_doubt: str | None
    general: dict[str, dict[str, str]]
    """What holds for every basis, by language: `who`, `never`, `sanctions`, `caution`."""


class Line(Struct, frozen=True, tag=True):
    """A signed line as it stands in the file, and what it says in the box's words."""

    seq: int
    raw: str
    box: str


class Replication(Struct, frozen=True, tag=True):
    """How copies stand, central by central."""

    centrals: tuple[CentralNow, ...]
    safe: tuple[int, int, int]


class AuditLine(Struct, frozen=True):
    """One privileged step. `outcome` is done, failed or refused."""

    seq: int
    at: str
    actor: Actor
    step: str
    subject: str
    details: dict[str, str]
    outcome: str
    hash: str


class Audit(Struct, frozen=True, tag=True):
    """A page of the audit chain; `fault` says what is wrong with the chain, empty if nothing is."""

    lines: tuple[AuditLine, ...]
    total: int
    head: str
    fault: str


class Box(Struct, frozen=True, tag=True):
    """What the box is. `custodians` are recipients, in public."""

    set_up: bool
    site: str
    fingerprint: str
    head: str
    version: str
    networks: tuple[str, ...]
    interfaces: tuple[str, ...]
    access_points: tuple[str, ...]
    custodians: tuple[str, ...]
    quorum: int
    term_years: dict[str, int]


class Interface(Struct, frozen=True):
    """An interface of the machine. `networks`: where the addresses seen lie, as a proposal.

    `foreign_per_s`: frames that are not for this machine, the sign of a mirror; None if not listened to.
    """

    name: str
    up: bool
    speed_mbps: int | None
    addresses: tuple[str, ...]
    is_default_route: bool
    frames_per_s: float | None
    foreign_per_s: float | None
    networks: tuple[str, ...]


class Interfaces(Struct, frozen=True, tag=True):
    """`proposed` is the one that looks like a mirror; None if none does."""

    interfaces: tuple[Interface, ...]
    proposed: str | None


class CentralIdentity(Struct, frozen=True, tag=True):
    """Who answers at a URL: compare the fingerprint with what the operator of the central was shown."""

    name: str
    fingerprint: str


class Tested(Struct, frozen=True):
    """How one check ended; `said` is the box's own sentence, English."""

    check: Check
    outcome: Outcome
    said: str = ""


class Tests(Struct, frozen=True, tag=True):
    """All of them, in the order of `Check`."""

    tested: tuple[Tested, ...]


class Done(Struct, frozen=True, tag=True):
    """It is done. `said` is the box's own sentence, English."""

    said: str = ""


class Refused(Struct, frozen=True, tag=True):
    """It is not done. `kind` is the name of an error class; `said` what happened and what to do, English."""

    kind: str
    said: str


Answer: TypeAlias = (
    Overview | Live | Activity | Sources | CoverageOf | Present | Retention | Line | Replication | Audit | Box
    | Interfaces | CentralIdentity | Tests | Done | Refused
)  # fmt: skip
