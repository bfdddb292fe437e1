"""Where a central and a proxy listen, as somebody wrote it down: a URL taken apart, strictly."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from appliance.model.errors import ReplicationError


@dataclass(frozen=True, slots=True)
class Place:
    """Where something listens; `credentials` (NAME:PASSWORD) are for a proxy."""

    host: str
    port: int
    credentials: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def central(url: str) -> Place:
    """Where the central of a URL listens: https only. Raises ReplicationError."""
    place = _place(url, "https", 443)
    if place is None or place.credentials:
        raise ReplicationError(
            "a central is reached over HTTPS only; give its address as https://HOST or https://HOST:PORT"
        )
    return place


def proxy(url: str) -> Place | None:
    """Where the proxy of a URL listens; None for an empty one. Raises ReplicationError."""
    if not url:
        return None
    place = _place(url, "http", 3128)
    if place is None:
        raise ReplicationError("give the proxy as http://HOST:PORT or http://NAME:PASSWORD@HOST:PORT")
    return place


def _place(url: str, scheme: str, port: int) -> Place | None:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        found = parts.port if parts.port is not None else port
    except ValueError:  # UnicodeError is one
        return None
    if parts.scheme != scheme or parts.path not in ("", "/") or parts.query or parts.fragment or not found:
        return None
    if not (re.fullmatch(r"[a-z0-9._-]+", host) or _is_ipv6(host)):
        return None
    if parts.username is None:
        return Place(host, found)
    return Place(host, found, f"{unquote(parts.username)}:{unquote(parts.password or '')}")


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
