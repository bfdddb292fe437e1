"""Enrolment, the box's side: one typed code proves the central to the box, and the box to the central.

The identity is fetched from whoever answers, and believed only if its hash is the one in the code; from then
on everything goes over TLS that this identity's authority vouches for. The box says nothing before that.
"""

import io

from appliance.config import box
from appliance.config.replication import ReplicationConfig
from appliance.model.errors import ReplicationError
from appliance.replication import enrolled, enrolments
from appliance.replication import identity as identities
from appliance.replication.exchange import Request
from appliance.replication.identity import CentralIdentity, EnrolmentCode
from appliance.replication.pacing import Line
from appliance.replication.targets import Refused, Unreachable, Untrusted
from appliance.replication.uplink import UNLIMITED, Uplink
from appliance.vault import chain, signing
from appliance.vault.names import Home
from appliance.vault.seals import Init

IDENTITY, ENROLMENTS = "/v1/identity", "/v1/enrolments"


def enrol(
    home: Home, url: str, code: EnrolmentCode, proxy: str | None = None, fingerprint: str | None = None
) -> CentralIdentity:
    """Make a central known to a home and the box to it; durable on return. The same again changes nothing.

    A central that is known already gets the new URL. `proxy` None: the one of box.toml; `fingerprint`: what a
    person compared, that of the central or nobody's. Raises Untrusted
    where another central answers, Refused for a code it does not take, Unreachable, HomeError, StorageError.
    """
    config = box.read(home.config).replication
    if proxy is not None:
        config = _through(config, proxy)
    identity = _identity(url, code, config)
    if fingerprint is not None and identity.fingerprint != fingerprint:
        raise Untrusted(
            f"what answers at {url} shows {identity.fingerprint} now, which nobody agreed to; "
            "nothing was said to it: compare once more"
        )
    _introduce(home, url, code, config, identity)
    enrolled.keep(home, identity, url.rstrip("/"))
    return identity


def _through(config: ReplicationConfig, proxy: str) -> ReplicationConfig:
    try:
        return ReplicationConfig(proxy=proxy, dscp=config.dscp)
    except ValueError as error:
        raise ReplicationError(str(error)) from None


def identity_at(url: str, config: ReplicationConfig, authority: str | None = None) -> CentralIdentity:
    """Who answers at a URL, as it says of itself: to be compared before it is believed.

    `authority`: only a central whose certificate this one (PEM) vouches for. Raises Untrusted, Unreachable.
    """
    content = _ask(url, authority, config, "GET", IDENTITY, b"", identities.LIMIT_BYTES)
    try:
        return identities.parse(content)
    except ValueError as error:
        raise Untrusted(
            f"what {url} answers {error}; nothing was said to it: check the address of central"
        ) from None


def _identity(url: str, code: EnrolmentCode, config: ReplicationConfig) -> CentralIdentity:
    """Who the central of the code is, asked of whoever answers."""
    identity = identity_at(url, config)
    if not code.names(identity):
        raise Untrusted(
            f"what answers at {url} is not the central that gave out this code (it shows "
            f"{identity.fingerprint}); nothing was said to it: check both, and what stands between"
        )
    return identity


def _introduce(
    home: Home, url: str, code: EnrolmentCode, config: ReplicationConfig, identity: CentralIdentity
) -> None:
    """Show central the code's proof, the box's key and the first line of its chain."""
    signer = signing.load(home.signing_key)
    body = chain.first(home).body
    assert isinstance(body, Init)
    line = chain.content(home).partition(b"\n")[0].decode("ascii")
    try:
        request = enrolments.request(signer, body.site, code, line)
    except ValueError as error:
        raise ReplicationError(f"{error}; make the box's home with fewer custodians") from None
    limit = enrolments.ANSWER_LIMIT_BYTES
    content = _ask(url, identity.authority, config, "POST", ENROLMENTS, request, limit)
    try:
        answer = enrolments.parse_answer(content, identity)
    except ValueError as error:
        raise Untrusted(f"central's confirmation {error}; it counts for nothing: enrol again") from None
    if answer.site != signer.fingerprint:
        raise Untrusted("central confirms another box than this one; it counts for nothing: enrol again")


def _ask(
    url: str,
    authority: str | None,
    config: ReplicationConfig,
    method: str,
    path: str,
    body: bytes,
    limit: int,
) -> bytes:
    """The body of central's answer. Raises ReplicationError for any other status than 200."""
    uplink = Uplink(url, authority, config, Line(UNLIMITED))
    headers = (("Content-Type", "application/json"),) if body else ()
    try:
        answer = uplink.ask(Request(method, path, headers, len(body), limit), io.BytesIO(body))
    finally:
        uplink.close()
    if answer.status == 200:
        return answer.body
    if answer.status in (400, 403, 413):
        raise Refused(
            "central does not take this code: it was mistyped, used by another box, or has lapsed; "
            "have the operator give out another one"
        )
    if answer.status == 429 or answer.status >= 500:
        raise Unreachable(f"central cannot enrol anybody now ({answer.status}); try again in a minute")
    raise Untrusted(f"what answers at {url} is no central ({answer.status}); check the address")
