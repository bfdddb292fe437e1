"""A request of the web server, read within bounds: nothing of a form ever lies in a temporary file."""

import io
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import bottle

from webui import protection
from webui.routing import Upload

FORM_BYTES = 512 << 10
"""A body at most: the worker collects as much before it gives a thread, and refuses what is longer."""

FIELDS = 5_000
"""Of one form: a site with thousands of access points names each of them."""

QUERY_FIELDS = 500
TEXT_CHARACTERS = 64 << 10
"""Of one field: a certificate or a list of networks; longer ones are files."""

AGENT_CHARACTERS = 200


class Unreadable(Exception):
    """What came is no request of ours; `status` says in which way."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(frozen=True)
class Incoming:
    """What the web server tells of one request. `host` and `url` are its own; no proxy is believed."""

    method: str
    path: str
    query: Mapping[str, str]
    host: str
    url: str
    address: str
    agent: str
    secret: str
    """Of the browser's cookie; empty where there is none that looks like ours."""
    device: str
    language_cookie: str
    headers: Mapping[str, str | None]


@dataclass(frozen=True)
class Form:
    """What a body holds: the first value of each key, all values, and files."""

    first: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)


_HEADERS = {
    name: f"HTTP_{name.upper().replace('-', '_')}"
    for name in ("Accept-Language", "Accept-Encoding", "If-None-Match", "Origin", "Sec-Fetch-Site")
}
"""As they come: bottle would refuse to read one that is not UTF-8."""


class _Request(bottle.BaseRequest):  # type: ignore[misc]
    """bottle's, but no body is ever put into a temporary file: a private key may be in it."""

    MEMFILE_MAX = FORM_BYTES + 1


def read() -> Incoming:
    """The head of the request that this thread answers. Raises Unreadable."""
    request = bottle.request
    environ = request.environ
    host = environ.get("HTTP_HOST", "")
    secret = request.get_cookie(protection.COOKIE) or ""
    device = request.get_cookie(protection.DEVICE_COOKIE) or ""
    return Incoming(
        method=request.method,
        path=request.path,
        query=_first(_pairs(str(environ.get("QUERY_STRING", "")), QUERY_FIELDS)),
        host=host,
        url=f"{environ.get('wsgi.url_scheme', 'https')}://{host}",
        address=_address(str(environ.get("REMOTE_ADDR", ""))),
        agent=_line(str(environ.get("HTTP_USER_AGENT", "")), AGENT_CHARACTERS),
        secret=secret if protection.is_secret(secret) else "",
        device=device if protection.is_secret(device) else "",
        language_cookie=request.get_cookie("greffier-language") or "",
        headers={name: environ.get(key) for name, key in _HEADERS.items()},
    )


def form() -> Form:
    """The body of the request that this thread answers. Raises Unreadable."""
    environ = bottle.request.environ
    length = str(environ.get("CONTENT_LENGTH") or "")
    if "HTTP_TRANSFER_ENCODING" in environ or not length.isdecimal():
        raise Unreadable(411)
    if len(length) > 9 or int(length) > FORM_BYTES:
        raise Unreadable(413)
    body = environ["wsgi.input"].read(int(length))
    if len(body) != int(length):
        raise Unreadable(400)
    kind = str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _sorted(list(_pairs(body.decode("utf-8", "replace"), FIELDS)))
    if kind == "multipart/form-data":
        return _sorted(_pieces(_Request({**_plain(environ), "wsgi.input": io.BytesIO(body)})))
    raise Unreadable(415)


def _first(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return dict(reversed(pairs))


def _plain(environ: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in environ.items() if not key.startswith("bottle.")}


def _pairs(text: str, most: int) -> list[tuple[str, str]]:
    """Of a query or a form, UTF-8; what is none becomes replacement characters. Raises Unreadable."""
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=most)
    except ValueError as error:
        raise Unreadable(413) from error


def _pieces(request: _Request) -> list[tuple[str, Any]]:
    try:
        return list(request.POST.allitems())
    except (bottle.HTTPError, ValueError, LookupError) as error:
        raise Unreadable(400) from error


def _sorted(parts: list[tuple[str, Any]]) -> Form:
    if len(parts) > FIELDS:
        raise Unreadable(413)
    fields: dict[str, list[str]] = {}
    files: dict[str, Upload] = {}
    for name, value in parts:
        if isinstance(value, bottle.FileUpload):
            if value.raw_filename:  # a field for a file that nobody filled in has an empty name
                files.setdefault(name, Upload(_printable(value.raw_filename)[:255], value.file.read()))
        elif len(value) > TEXT_CHARACTERS:
            raise Unreadable(413)
        else:
            fields.setdefault(name, []).append(value.replace("\0", "\ufffd"))
    return Form(
        {name: values[0] for name, values in fields.items()},
        {name: tuple(values) for name, values in fields.items()},
        files,
    )


def _line(text: str, limit: int) -> str:
    """A header: octets in Latin-1's clothes."""
    return _printable(text.encode("latin-1", "replace").decode("utf-8", "replace"))[:limit]


def _printable(text: str) -> str:
    """One line, without anything that a terminal or the name of a file would obey."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _address(text: str) -> str:
    """The peer's address in its shortest form; IPv4 in IPv6's clothes is IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
