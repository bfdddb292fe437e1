"""What keeps strangers' hands off a browser that is signed in: headers, cookies, tokens, origins. Pure.

No Strict-Transport-Security: browsers ignore it over a certificate that they do not trust (RFC 6797 section
8.1), and once they do trust it, a box whose certificate was made anew could not be reached by its name at all
(section 12.1). Nothing of the page answers without TLS, and the cookie never leaves without it.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Mapping
from types import MappingProxyType

COOKIE = "__Host-greffier"
"""The session's secret, or an anonymous visitor's: this host alone, TLS alone, no script (RFC 6265bis)."""

DEVICE_COOKIE = "__Host-greffier-device"
"""A browser from which somebody has signed in before."""

DEVICE_LASTS_S = 180 * 86_400

ALWAYS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Not no-referrer: with it a browser sends `Origin: null` with a form (Fetch, section 3.2).
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), "
        "gyroscope=(), microphone=(), payment=(), usb=()",
    }
)

_SECRET_BYTES = 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_LOCAL = (".local", ".localhost", ".lan", ".home", ".home.arpa", ".internal")
"""Names that nobody outside can have an address for, so that no page from outside is at one of them."""


def new_secret() -> str:
    """256 random bits for a cookie."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def is_secret(text: str) -> bool:
    """Whether it looks like one of ours."""
    return _SECRET.fullmatch(text) is not None


def number_of(secret: str) -> str:
    """What a session is called where its secret must not be known."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_of(secret: str) -> str:
    """What a form must bring along: only a page that was shown to this cookie has it."""
    return hmac.new(secret.encode(), b"greffier form", hashlib.sha256).hexdigest()


def is_token(secret: str, token: str) -> bool:
    """Whether a form's token belongs to this cookie."""
    return hmac.compare_digest(token_of(secret).encode(), token.encode("utf-8", "replace"))


def is_own_host(host: str, names: frozenset[str]) -> bool:
    """Whether the Host header names this box: by address, by a name of the LAN, or by one of `names`.

    A name of the Internet could be another's that was made to lead here (DNS rebinding).
    """
    matched = _HOST.fullmatch(host)
    if matched is None:
        return False
    name = matched[1].strip("[]").lower().rstrip(".")
    return "." not in name or name.endswith(_LOCAL) or name in map(str.lower, names) or _is_address(name)


def is_own_origin(url: str, origin: str | None, fetched_from: str | None) -> bool:
    """Whether a change was asked for by our own page, as far as the browser says where it comes from.

    `url` is our own scheme and host; `origin` and `fetched_from` the headers Origin and Sec-Fetch-Site.
    """
    if fetched_from is not None and fetched_from not in ("same-origin", "none"):
        return False
    return origin is None or origin.lower() == url.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
