"""Enrolment: an operator hands out a one-time code, and one box comes with it. From then on it may send.

A code is worth nothing twice, and nothing after its time. Whoever fails is told one and the same thing, after
the same work, whatever it was that was wrong.
"""

import hmac
import json
from collections.abc import Mapping

from appliance.central import proofs, sites
from appliance.central.databases import locking, writing
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.refusals import Malformed, NotAuthorised, Unproven
from appliance.central.tables import Code, Event, Site
from appliance.config.box import LEGAL_TERM_YEARS
from appliance.model.errors import CentralError
from appliance.model.instants import HOUR_NS, to_iso
from appliance.replication import enrolments, identity, names
from appliance.replication.enrolments import EnrolmentAnswer, EnrolmentRequest
from appliance.replication.identity import EnrolmentCode
from appliance.vault import canonical, signing

_LONGEST_YEARS = 10
_LONGEST_HOURS = 30 * 24
_NO_SECRET = "00" * 10


def new_code(
    central: Central, site_name: str, terms: Mapping[str, int], now_ns: int, valid_hours: int = 24
) -> EnrolmentCode:
    """A code for one box. `terms` are years by vault that differ from central's. Raises CentralError."""
    name = site_name.strip()
    if not name or not name.isprintable() or len(name.encode()) > 200:
        raise CentralError("a site needs a name on one line, of at most 200 bytes")
    if not 1 <= valid_hours <= _LONGEST_HOURS:
        raise CentralError(f"a code is valid for 1 to {_LONGEST_HOURS} hours, not for {valid_hours}")
    agreed = _agreed(central, terms)
    code, expires_at_ns = identity.new_code(central.identity), now_ns + valid_hours * HOUR_NS
    with writing(central.database):
        Code.insert(
            secret_id=code.secret_id,
            secret=code.secret,
            site_name=name,
            terms=json.dumps(agreed),
            expires_at_ns=expires_at_ns,
        ).execute(central.database)
        Ledger(central, lambda: now_ns).append(
            "code-given", code=code.secret_id, name=name, terms=agreed, expires=to_iso(expires_at_ns)
        )
    return code


def used_by(central: Central, code: EnrolmentCode) -> str | None:
    """The fingerprint of the site that came with a code."""
    query = Code.select(Code.used_by).where(Code.secret_id == code.secret_id)
    found: str | None = query.scalar(central.database)
    return found


def lapse(central: Central, now_ns: int) -> int:
    """Forget the secrets of codes whose time is over; how many."""
    over = Code.secret.is_null(False) & (Code.expires_at_ns <= now_ns)
    return int(Code.update(secret=None).where(over).execute(central.database))


def admit(central: Central, content: bytes, now_ns: int) -> bytes:
    """Take a box in; the signed answer, which is the same if the same box comes with the same code again.

    Raises Malformed for what is no request, NotAuthorised for any other reason; then nothing has changed.
    """
    try:
        request = enrolments.parse_request(content)
    except ValueError as error:
        raise Malformed(f"what came {error}") from None
    begins = _begins_a_chain(request)
    with writing(central.database):
        code = _locked_code(central, request)
        site = signing.fingerprint(request.site_key)
        if not (_proves(central, code, request, site, now_ns) and begins) or code is None:
            raise NotAuthorised
        enrolled = _enrol(central, code, request, site, now_ns)
    return enrolments.answer(
        central.signer, EnrolmentAnswer(enrolled.fingerprint, enrolled.name, enrolled.enrolled_at_ns)
    )


def _agreed(central: Central, terms: Mapping[str, int]) -> dict[str, int]:
    for vault, years in terms.items():
        if vault not in LEGAL_TERM_YEARS:
            raise CentralError(f"there is no vault '{vault}'; the vaults are {', '.join(LEGAL_TERM_YEARS)}")
        least = LEGAL_TERM_YEARS[vault]
        if not least <= years <= _LONGEST_YEARS:
            raise CentralError(f"the term of {vault} is {least} to {_LONGEST_YEARS} years, not {years}")
    return {**central.config.term_years, **terms}


def _locked_code(central: Central, request: EnrolmentRequest) -> Code | None:
    query = locking(central.database, Code.select().where(Code.secret_id == request.secret_id))
    found: Code | None = query.get_or_none(central.database)
    return found


def _proves(central: Central, code: Code | None, request: EnrolmentRequest, site: str, now_ns: int) -> bool:
    """Whether the code is known, still good, and proved - or was used by this very box, which signed."""
    secret = code.secret if code and code.secret else _NO_SECRET
    named = EnrolmentCode(secret, central.identity.fingerprint[:20])
    proved = hmac.compare_digest(named.proof(request.site_key).encode(), request.proof.encode())
    if code is None or now_ns >= code.expires_at_ns:
        return False
    return code.used_by == site if code.used_by else proved and code.secret is not None


def _begins_a_chain(request: EnrolmentRequest) -> bool:
    """Whether the line that came is the first of a chain, signed by the box that asks."""
    try:
        content = request.line.encode("ascii") + b"\n"
        name = names.parse(names.of_line(0, canonical.sha256(content)))
        proofs.line(content, name, request.site_key)
    except (UnicodeEncodeError, Unproven):
        return False
    return True


def _enrol(central: Central, code: Code, request: EnrolmentRequest, fingerprint: str, now_ns: int) -> Site:
    """The site, new or known, with its code spent. Raises NotAuthorised if its contract has ended.

    A new contract is a new home: this one holds receipts that central has forgotten, and would take the new
    ones, which begin at 1, for those of a central that was put back.
    """
    database = central.database
    came_before = sites.known(central, fingerprint) is not None
    if not came_before and _has_ended(central, fingerprint):
        raise NotAuthorised
    Site.insert(
        fingerprint=fingerprint,
        public_key=request.site_key,
        name=code.site_name,
        terms=code.terms,
        enrolled_at_ns=now_ns,
    ).on_conflict_ignore().execute(database)
    query = locking(database, Site.select().where(Site.fingerprint == fingerprint))
    site: Site = query.get(database)
    if site.state != sites.ENROLLED:
        raise NotAuthorised
    if code.used_by is None:
        spent = Code.update(used_by=fingerprint, secret=None).where(Code.secret_id == code.secret_id)
        spent.execute(database)
        _note(central, code, site, "enrolled-again" if came_before else "enrolled", now_ns)
    return site


def _has_ended(central: Central, fingerprint: str) -> bool:
    ended = Event.select(Event.seq).where(Event.site == fingerprint, Event.kind == "contract-end")
    return bool(ended.exists(central.database))


def _note(central: Central, code: Code, site: Site, kind: str, now_ns: int) -> None:
    """Tell the ledger; a known site goes by its new name, and its terms never become shorter."""
    had = sites.terms_of(site)
    terms = {vault: max(years, had.get(vault, 0)) for vault, years in json.loads(code.terms).items()}
    site.name, site.terms = code.site_name, json.dumps(terms)
    Site.update(name=site.name, terms=site.terms).where(Site.id == site.id).execute(central.database)
    Ledger(central, lambda: now_ns).append(
        kind, site.fingerprint, name=site.name, terms=terms, code=code.secret_id
    )
