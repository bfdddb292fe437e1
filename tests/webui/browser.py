"""The page in a real browser: Debian's Chromium, driven by playwright, against the real page over TLS.

Keepers are made (`made_answers`); everything between keeper and screen is what a site runs, but for gunicorn.
"""

import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, ViewportSize

from appliance.https import certificates
from appliance.runtime.clock import now_ns
from tests.webui.made_answers import MadeKeeper, made_keeper
from tests.webui.visiting import AGENT, add, made_site
from webui import protection
from webui.app import Page as Application
from webui.first_boot import FirstBoot
from webui.request_log import RequestLog
from webui.rights import Role
from webui.site import Site

CHROMIUM = "/usr/bin/chromium"
PHONE, DESKTOP = ViewportSize(width=390, height=844), ViewportSize(width=1440, height=900)
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"

_AXE = Path(AXE_FILE_PATH).read_text(encoding="utf-8")
_WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that another theme can break."""
_WHERE = {"include": ["html"], "exclude": ["tbody tr:nth-child(n+9)", "option:nth-child(n+9)"]}
"""What repeats is judged once: a journal of a thousand lines would take minutes."""
_SERVED = ("127.0.0.1", 0)


@dataclass
class Served:
    """A site that answers at `url`. `requests` are the paths that were asked for, in order."""

    url: str
    site: Site
    keeper: MadeKeeper

    def cookie(self, role: Role = Role.OPERATOR) -> str:
        """The secret of a session of an account of this role."""
        name = f"Claire {role}"
        if self.site.accounts.users.named(name) is None:
            add(self.site, name, role)
        return str(self.site.accounts.begin(name, AGENT, "127.0.0.1"))


@dataclass
class Looked:
    """A tab, and everything that went wrong in it."""

    page: Page
    wrong: list[str] = field(default_factory=list)
    octets: dict[str, int] = field(default_factory=dict)
    """Bytes of each answer's body and head as they came over the wire, by address."""


@contextmanager
def served(
    state: Path, box: str = "good", keeper: Any = None, first_boot: FirstBoot | None = None
) -> Iterator[Served]:
    """The page of a box with a made keeper, over TLS on a free port of loopback."""
    told = keeper or made_keeper(box, now_ns())
    own, tls = state / "state", state / "tls"
    own.mkdir()
    tls.mkdir()
    site = made_site(own, told, clock=now_ns, first_boot=first_boot)
    if first_boot is None:
        site.accounts.set_client("Hôtel du Port")
    certificates.create(tls, "page of a test", ["127.0.0.1"], now_ns())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / certificates.SERVER, tls / certificates.SERVER_KEY)
    application = Application(site, RequestLog(site.state, site.clock, lambda _: None))
    server = make_server(*_SERVED, application, _Server, _Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Served(f"https://127.0.0.1:{server.server_port}", site, told)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def started(playwright: Playwright) -> Browser:
    """Chromium without a window."""
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    )


@contextmanager
def looking(
    browser: Browser,
    at: Served,
    role: Role | None = Role.OPERATOR,
    language: str = "fr",
    scheme: str = "light",
    size: ViewportSize = DESKTOP,
    script: bool = True,
) -> Iterator[Looked]:
    """A tab of somebody of this role, or of a stranger where it is None."""
    with visiting(browser, at, role, language, script) as context, tab(context) as looked:
        looked.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        looked.page.set_viewport_size(size)
        yield looked


@contextmanager
def visiting(
    browser: Browser, at: Served, role: Role | None = Role.OPERATOR, language: str = "fr", script: bool = True
) -> Iterator[BrowserContext]:
    """A browser's profile of somebody of this role, for several tabs."""
    context = browser.new_context(
        ignore_https_errors=True,
        locale={"fr": "fr-FR", "en": "en-GB"}[language],
        user_agent=AGENT,
        reduced_motion="reduce",
        java_script_enabled=script,
        timezone_id="Europe/Paris",
    )
    try:
        if role is not None:
            _sign_in(context, at, role)
        yield context
    finally:
        context.close()


@contextmanager
def tab(context: BrowserContext) -> Iterator[Looked]:
    """One tab of it, and all that goes wrong there."""
    page = context.new_page()
    try:
        looked = Looked(page)
        _listen(page, looked)
        yield looked
    finally:
        page.close()


def violations(page: Page, only_colours: bool = False) -> list[str]:
    """What axe-core finds: rule, and the elements that break it. A page's policy does not bind the judge."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)
    wanted = {"type": "rule", "values": _COLOURS} if only_colours else {"type": "tag", "values": _WCAG}
    found = page.evaluate(
        "only => axe.run(document, {runOnly: only, resultTypes: ['violations']}).then(r => r.violations)",
        wanted,
    )
    return [
        f"{one['id']}: {one['help']}: " + "; ".join(str(node["html"])[:160] for node in one["nodes"][:3])
        for one in found
    ]


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return int(width)


def photograph(page: Page, name: str) -> Path:
    """A picture of the whole page, for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    file = SCREENSHOTS / f"{re.sub(r'[^a-z0-9.-]+', '-', name.lower())}.png"
    page.screenshot(path=file, full_page=True)
    return file


def _sign_in(context: BrowserContext, at: Served, role: Role) -> None:
    context.add_cookies(
        [
            {
                "name": protection.COOKIE,
                "value": at.cookie(role),
                "url": at.url,
                "secure": True,
                "httpOnly": True,
                "sameSite": "Lax",
            }
        ]
    )


def _listen(page: Page, looked: Looked) -> None:
    page.on("console", lambda said: _note(looked, said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: looked.wrong.append(f"script: {error}"))
    page.on("requestfailed", lambda request: _note(looked, f"{request.failure} {request.url}"))

    def finished(request: object) -> None:
        sizes = request.sizes()  # type: ignore[attr-defined]
        url = request.url  # type: ignore[attr-defined]
        looked.octets[url] = sizes["responseBodySize"] + sizes["responseHeadersSize"]

    page.on("requestfinished", finished)


def _note(looked: Looked, text: str) -> None:
    """What a browser breaks off, because it goes on, is no fault; a file that is missing is a 404."""
    broken_off = text.startswith("net::ERR_ABORTED") and (text.endswith("/live") or "/static/" in text)
    if not broken_off:
        looked.wrong.append(text)


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Streams stay open: each request has its thread, and none outlives the test."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser closes what it no longer needs."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
        """Nothing is printed."""

    def get_environ(self) -> dict[str, object]:
        """What wsgiref takes the scheme from."""
        return {**super().get_environ(), "HTTPS": "on"}
