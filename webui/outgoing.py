"""An answer on its way to the web server: status, headers, cookies, and the octets."""

import functools
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import bottle

from webui import protection
from webui.incoming import Incoming
from webui.routing import Saved, Streamed

NO_STORE = "no-store"
_FOR_LONG = "public, max-age=31536000, immutable"
_ASK_AGAIN = "public, no-cache"
_WORTH_PACKING = 1_000
"""Octets; less is not made shorter by what gzip adds and a second look."""

_PACKED = ("text/", "image/svg+xml", "application/javascript", "application/json")
_LOCAL_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_ENDED_BY = "\n\n"


def protect() -> None:
    """The headers that every answer has."""
    for name, value in protection.ALWAYS.items():
        bottle.response.set_header(name, value)
    bottle.response.set_header("Cache-Control", NO_STORE)


def page(html: str, status: int) -> bytes:
    """A page of HTML; never kept by anybody."""
    bottle.response.status = status
    bottle.response.content_type = "text/html; charset=utf-8"
    return html.encode()


def moved(to: str) -> bytes:
    """See other, on this host: whatever is no path of ours leads to the first page."""
    bottle.response.status = 303
    bottle.response.set_header("Location", local(to))
    bottle.response.content_type = "text/plain; charset=utf-8"
    return b""


def local(path: str) -> str:
    """A path that cannot lead to another host, nor end a header."""
    quoted = quote(path, safe="/%?=&#:@!$'()*+,;~-._[]")
    return quoted if _LOCAL_PATH.fullmatch(quoted) else "/"


def saved(incoming: Incoming, reply: Saved, public: bool) -> bytes:
    """A file. A `public` one may be kept: for good where its address has its version in it."""
    response = bottle.response
    response.content_type = reply.content_type
    how = "inline" if reply.inline else "attachment"
    plain = _PLAIN_NAME.sub("_", reply.name) or "file"
    extended = f"; filename*=UTF-8''{quote(reply.name, safe='')}" if plain != reply.name else ""
    if reply.name:
        response.set_header("Content-Disposition", f'{how}; filename="{plain}"{extended}')
    if not public:
        return reply.content
    tag = _tag(reply.content)
    response.set_header("Cache-Control", _FOR_LONG if "v" in incoming.query else _ASK_AGAIN)
    response.set_header("ETag", tag)
    response.set_header("Vary", "Accept-Encoding")
    if tag in (incoming.headers["If-None-Match"] or ""):
        response.status = 304
        return b""
    if _may_pack(incoming, reply):
        response.set_header("Content-Encoding", "gzip")
        return _packed(reply.content)
    return reply.content


def streamed(reply: Streamed) -> Iterable[bytes]:
    """Server-sent events. 204 where there is none: then a browser does not come back."""
    events = iter(reply.pieces)
    first = next(events, None)
    if first is None:
        bottle.response.status = 204
        return ()
    bottle.response.content_type = "text/event-stream; charset=utf-8"
    return _Events(first, events)


def cookie(name: str, value: str, lasts_s: int | None = None) -> None:
    """Set a cookie that no script reads, and that no form of another site brings along."""
    options = {"path": "/", "secure": True, "httponly": True, "samesite": "lax"}
    bottle.response.set_cookie(name, value, **options, **({} if lasts_s is None else {"max_age": lasts_s}))


class _Events:
    """What bottle iterates over; hands `close` on, so that a stream learns that nobody reads it."""

    def __init__(self, first: str, events: Iterator[str]) -> None:
        self._first: str | None = first
        self._events = events

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        text, self._first = self._first, None
        if text is None:
            text = next(self._events)
        return (text.rstrip("\n") + _ENDED_BY).encode()

    def close(self) -> None:
        """Whoever looked has gone."""
        if close := getattr(self._events, "close", None):
            close()


def _may_pack(incoming: Incoming, reply: Saved) -> bool:
    wanted = "gzip" in (incoming.headers["Accept-Encoding"] or "")
    return wanted and len(reply.content) >= _WORTH_PACKING and reply.content_type.startswith(_PACKED)


@functools.lru_cache(maxsize=256)
def _packed(content: bytes) -> bytes:
    """Only what says nothing of anybody is packed: lengths of packed pages would tell secrets (BREACH)."""
    return gzip.compress(content, zlib.Z_BEST_COMPRESSION, mtime=0)


@functools.lru_cache(maxsize=256)
def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
