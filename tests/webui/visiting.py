"""A browser's ways without a browser: cookies, forms, tokens, against the page's real WSGI application."""

import io
import itertools
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from webui import protection, settings
from webui.accounts import opened
from webui.app import Page
from webui.request_log import RequestLog
from webui.rights import Role
from webui.site import Site

HOST = "greffier.local"
AGENT = "Visitor/1.0"
ADDRESS = "192.0.2.10"
PASSWORD = "velours-tasse-quai-42"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""argon2id with next to no work: what is tested is what is done with its answer."""

_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Clock:
    """A clock that stands until it is set on."""

    def __init__(self, now_ns: int = 1_795_000_000 * 1_000_000_000) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def go(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1_000_000_000)


def made_site(state: Path, keeper: Any, clock: Any = None, **more: Any) -> Site:
    """A site whose state lies there; `keeper` is whatever has `ask(actor, ask)`."""
    told = Clock() if clock is None else clock
    people = opened.open(state, told, QUICK)
    return Site(keeper, state, told, people, settings.open(state), **{"debug": True, **more})


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def token(self) -> str:
        """The token of the forms of this page."""
        found = _TOKEN.search(self.text)
        assert found, "no form on this page"
        return found[1]


@dataclass
class Visitor:
    """One browser. `page` is shared by all who visit one site."""

    page: Page
    address: str = ADDRESS
    agent: str = AGENT
    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"

    def get(self, url: str, **headers: str) -> Answer:
        return self.request("GET", url, headers=headers)

    def post(
        self,
        url: str,
        form: Mapping[str, str | Iterable[str]] | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send a form with the token that this browser's pages have, or with another."""
        secret = self.cookies.get(protection.COOKIE, "")
        given = {"csrf": protection.token_of(secret) if token is None else token, **(form or {})}
        body = urllib.parse.urlencode(given, doseq=True).encode()
        kind = "application/x-www-form-urlencoded"
        return self.request("POST", url, body, kind, headers)

    def upload(self, url: str, form: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]) -> Answer:
        """Send a form with files."""
        mark = "----greffier"
        given = {"csrf": protection.token_of(self.cookies.get(protection.COOKIE, "")), **form}
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode()
            for n, v in given.items()
        ]
        for name, (file_name, content) in files.items():
            head = (
                f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n\r\n'
            )
            parts.append(head.encode() + content + b"\r\n")
        body = b"".join(parts) + f"--{mark}--\r\n".encode()
        return self.request("POST", url, body, f"multipart/form-data; boundary={mark}", {})

    def request(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        kind: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request as gunicorn would hand it on; cookies of the answer are kept."""
        told: list[Any] = []
        environ = self._environ(method, url, body, kind, headers or {})
        answered = self.page(environ, lambda status, given, *_: told.extend((status, given)))
        try:
            content = b"".join(itertools.islice(answered, 1 if _is_stream(told[1]) else None))
        finally:
            if close := getattr(answered, "close", None):
                close()
        self._keep([value for name, value in told[1] if name.lower() == "set-cookie"])
        return Answer(int(told[0][:3]), told[1], content)

    def _environ(
        self, method: str, url: str, body: bytes, kind: str, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        path, _, query = url.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": HOST,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.address,
            "HTTP_HOST": HOST,
            "HTTP_USER_AGENT": self.agent,
            "HTTP_ACCEPT_LANGUAGE": self.language,
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
        }
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            environ |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": kind}
        for name, value in headers.items():
            plain = name.upper().replace("-", "_")
            environ[plain if plain in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{plain}"] = value
        return environ

    def _keep(self, lines: list[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value


def _is_stream(headers: list[tuple[str, str]]) -> bool:
    """Of a stream the first event is read, then the browser goes away."""
    return any(value.startswith("text/event-stream") for name, value in headers if name == "Content-Type")


def add(site: Site, name: str, role: Role, **more: Any) -> None:
    """An account that can sign in at once; of one client: `clients=("...",)`."""
    made = site.accounts.passwords.hashed(PASSWORD)
    clients = more.pop("clients", None)
    site.accounts.users.add(name, role, made, clients, must_renew=False, **more)


def visitor(site: Site) -> Visitor:
    """A browser that nobody knows."""
    return Visitor(Page(site, RequestLog(site.state, site.clock, lambda _: None)))


def signed_in(site: Site, role: Role = Role.OPERATOR, name: str = "", **more: Any) -> Visitor:
    """A browser of an account of this role, signed in without a password being asked."""
    called = name or f"Test {role}"
    add(site, called, role, **more)
    made = visitor(site)
    made.cookies[protection.COOKIE] = site.accounts.begin(called, made.agent, made.address)
    return made
