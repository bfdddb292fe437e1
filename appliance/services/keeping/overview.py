"""How the box stands: the one answer that everybody sees first."""

from appliance.control.messages import Actor, AskOverview, Disk, Finding, Overview
from appliance.control.words import Level, Trouble
from appliance.model.errors import HomeError
from appliance.model.instants import to_iso
from appliance.services.keeping import audited, law, present, replication
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.services.keeping.sources_now import feeds_now, interfaces_now, listened
from appliance.services.keeping.standing import standing
from appliance.services.status import Status
from appliance.supervision.findings import gravest_first, level
from appliance.vault import chain
from appliance.vault.seals import Init


def _overview(at: AtHand, _: Actor, __: AskOverview) -> Overview:
    if not at.is_set_up:
        return _without((Finding(Trouble.NOT_SET_UP, Level.ATTENTION),), "", False)
    try:
        found = standing(at)
    except HomeError as error:
        return _without((_broken(at, error),), _site(at), True)
    return _of(at, found, found_wrong(at, found))


def found_wrong(at: AtHand, found: Status) -> tuple[Finding, ...]:
    """All findings, the gravest first: of the box, of its audit chain, of the law."""
    told: dict[tuple[Trouble, str, str], Finding] = {}
    for one in (*found.findings, *_of_audit(at), *_of_law(at)):
        # What a recorder has said and the law says again is one thing; an alarm in words may be several.
        told.setdefault((one.trouble, one.subject, one.said if one.trouble is Trouble.ALARM else ""), one)
    return gravest_first(tuple(told.values()))


def _of_audit(at: AtHand) -> tuple[Finding, ...]:
    try:
        fault = audited.fault(at)
    except HomeError as error:
        fault = str(error)
    return (Finding(Trouble.AUDIT_BROKEN, Level.FAILING, said=fault),) if fault else ()


def _of_law(at: AtHand) -> tuple[Finding, ...]:
    try:
        return law.findings(at)
    except HomeError as error:
        return (Finding(Trouble.SETTINGS_BROKEN, Level.FAILING, said=str(error)),)


def _of(at: AtHand, found: Status, findings: tuple[Finding, ...]) -> Overview:
    sources = interfaces_now(at.home(), found.config)
    if found.hearing:
        sources += feeds_now(found.hearing, listened(at.home()))
    copied = replication.of(found.replication, findings)
    going = found.next_destruction
    days = found.kept.days
    figures = present.figures(at)
    return Overview(
        True,
        found.config.site,
        level(findings),
        findings,
        any(source.live and source.link in (None, "up") for source in sources),
        sources,
        None if found.last_record_ns is None else to_iso(found.last_record_ns),
        figures.users_now,
        figures.bits_per_s,
        len(days),
        days[0].isoformat() if days else None,
        days[-1].isoformat() if days else None,
        going.day.isoformat() if going else None,
        going.on.isoformat() if going else None,
        Disk(found.room.size_bytes, found.room.free_bytes, found.room.days_left),
        copied.centrals,
        copied.safe,
    )


def _broken(at: AtHand, error: HomeError) -> Finding:
    """The settings or the chain cannot be read: nothing else can be said then, but that."""
    of_chain = str(at.home().chain) in str(error)
    return Finding(
        Trouble.CHAIN_BROKEN if of_chain else Trouble.SETTINGS_BROKEN, Level.FAILING, said=str(error)
    )


def _site(at: AtHand) -> str:
    try:
        body = chain.first(at.home()).body
    except HomeError:
        return ""
    return body.site if isinstance(body, Init) else ""


def _without(findings: tuple[Finding, ...], site: str, is_set_up: bool) -> Overview:
    return Overview(
        is_set_up, site, level(findings), findings, False, (), None, None,
        None, 0, None, None, None, None, None, (), (0, 0, 0),
    )  # fmt: skip


HANDLERS: Handlers = {AskOverview: _overview}
