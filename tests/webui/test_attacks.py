"""What hostile browsers, hostile pages and hostile names try on the page; every route, by enumeration."""

import re
from collections.abc import Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.webui.made_answers import made_keeper
from tests.webui.routes_of_pages import READING, url_of
from tests.webui.visiting import PASSWORD, Answer, Clock, Visitor, add, made_site, signed_in, visitor
from webui import app, incoming, outgoing, protection, routes
from webui.rights import Right, Role
from webui.routing import Route, Saved

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Any]:
    clock = Clock()
    made = made_site(tmp_path, made_keeper("good", clock()), clock)
    yield made
    made.accounts.close()


def is_protected(answer: Answer) -> None:
    assert answer.header("Content-Security-Policy") == POLICY
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("X-Frame-Options") == "DENY"
    assert answer.header("Referrer-Policy") == "same-origin"
    assert answer.header("Cross-Origin-Opener-Policy") == "same-origin"
    assert answer.header("Cross-Origin-Resource-Policy") == "same-origin"
    assert "geolocation=()" in answer.header("Permissions-Policy")
    assert "Access-Control-Allow-Origin" not in dict(answer.headers)
    for line in (value for name, value in answer.headers if name.lower() == "set-cookie"):
        for morsel in SimpleCookie(line).values():
            assert morsel["secure"], line
            assert morsel["httponly"], line
            assert morsel["samesite"].lower() == "lax", line
            assert morsel["path"] == "/", line
            assert not morsel["domain"], line


@pytest.mark.parametrize("route", READING, ids=lambda route: route.path)
def test_every_answer_is_protected(site: Any, route: Route) -> None:
    """Clickjacking, sniffing, foreign scripts: whoever asks, whatever is answered."""
    browser = signed_in(site)
    for who in (browser, visitor(site)):
        answer = who.get(url_of(route))
        is_protected(answer)
        kept = answer.header("Cache-Control")
        assert kept == "no-store" or route.path.startswith(("/static/", "/branding")), kept


def test_refusals_and_defects_are_protected_too(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(asked: Any) -> Any:
        raise RuntimeError("192.0.2.99 and the password were here")

    broken = Route("GET", "/broken", Right.ANYBODY, defect)
    monkeypatch.setattr(app, "ROUTES", (*routes.ROUTES, broken))
    browser = signed_in(replace(site, debug=False))
    for answer, status in (
        (browser.get("/nothing-here"), 404),
        (browser.post("/"), 405),
        (browser.request("DELETE", "/"), 405),
        (browser.get("/broken"), 500),
        (browser.get("/users/999"), 404),
        (browser.get("/", Host="evil.example"), 421),
        (browser.post("/account/password", {"x": "y" * incoming.FORM_BYTES}), 413),
        (browser.request("POST", "/account/password", b"x", "text/plain"), 415),
    ):
        assert answer.status == status
        is_protected(answer)
        assert "Traceback" not in answer.text
        assert "192.0.2.99" not in answer.text


# -------------------------------------------------------------------------------------------------- sessions


def test_a_session_that_somebody_chose_is_no_session_after_the_sign_in(site: Any) -> None:
    """Fixation: an attacker has put a cookie of his into the browser before."""
    add(site, "Éva", Role.OPERATOR)
    chosen = protection.new_secret()
    victim, attacker = visitor(site), visitor(site)
    victim.cookies[protection.COOKIE] = attacker.cookies[protection.COOKIE] = chosen
    token = victim.get("/sign-in").token
    victim.post("/sign-in", {"name": "Éva", "password": PASSWORD}, token)
    assert victim.cookies[protection.COOKIE] != chosen
    assert attacker.get("/sign-in/factor").status == 303
    before = victim.cookies[protection.COOKIE]
    assert victim.get("/sign-in/factor").status == 200
    assert before not in victim.get("/sign-in/factor").text, "no secret of a cookie is in a page"


@pytest.mark.parametrize(
    "secret", ["", "x", "a" * 43, "../../etc/passwd", "'; DROP TABLE session; --", "é" * 43]
)
def test_a_made_up_cookie_opens_nothing(site: Any, secret: str) -> None:
    browser = visitor(site)
    browser.cookies[protection.COOKIE] = secret.encode().decode("latin-1")
    assert browser.get("/account").status == 303


def test_a_stolen_cookie_is_of_no_use_elsewhere(site: Any) -> None:
    browser = signed_in(site)
    for thief in (
        Visitor(browser.page, address="192.0.2.77", cookies=dict(browser.cookies)),
        Visitor(browser.page, agent="curl/8", cookies=dict(browser.cookies)),
    ):
        assert thief.get("/account").status == 303
    assert browser.get("/account").status == 200


def test_signing_out_ends_it_at_the_box(site: Any) -> None:
    browser = signed_in(site)
    kept = dict(browser.cookies)
    assert browser.post("/sign-out").header("Location") == "/sign-in"
    assert Visitor(browser.page, cookies=kept).get("/account").status == 303


def test_what_lies_on_the_disk_opens_nothing(site: Any) -> None:
    """Of cookies, passwords and recovery codes nothing is in the page's folder."""
    browser = signed_in(site, name="Éva")
    browser.post("/account/recovery-codes/new", {"current": PASSWORD})
    codes = re.findall(r"<code>([A-Z2-9-]{19})</code>", browser.get("/account/recovery-codes").text)
    assert codes
    secrets = [*browser.cookies.values(), PASSWORD, *codes, *(code.replace("-", "") for code in codes)]
    files = [file for file in site.state.rglob("*") if file.is_file()]
    assert any(file.name == "accounts.sqlite" for file in files)
    for file in files:
        assert not [secret for secret in secrets if secret.encode() in file.read_bytes()]
        if "accounts" in file.name:
            assert file.stat().st_mode & 0o077 == 0, file


# --------------------------------------------------------------------------------------- headers and places


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example", "https://evil.example/", "/\\evil.example", "/%5cevil.example", "\\\\evil.example",
        "/x\r\nSet-Cookie: a=b", "/x\nLocation: https://evil.example", "javascript:alert(1)",
        "/\t/evil.example",
        "/\x00", "/é\u2028", "", "evil", "http:evil.example", "/x?a=<script>#\"'",
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_and_no_header_is_slipped_in(site: Any, wanted: str) -> None:
    add(site, "Éva", Role.OPERATOR)
    browser = visitor(site)
    token = browser.get(
        "/sign-in",
    ).token
    shown = browser.get(f"/sign-in?next={quote(wanted, safe='')}")
    assert shown.status == 200
    answer = browser.post("/sign-in", {"name": "Éva", "password": PASSWORD, "next": wanted}, token)
    assert answer.status == 303
    location = answer.header("Location")
    assert re.fullmatch(r"/(?![/\\])[!-~]*", location), location
    assert all("\r" not in value and "\n" not in value for _, value in answer.headers)
    codes = visitor(site)
    codes.cookies = dict(browser.cookies)
    assert outgoing.local(wanted).startswith("/")
    assert not outgoing.local(wanted).startswith(("//", "/\\"))


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "greffier.local.evil.example", "192.0.2.1.evil.example", "greffier.local\r\nX: y",
     "evil.example:443", "[::1", "a" * 300, "greffier.local/evil", "user@greffier.local", "127.1.evil.fr."],
)  # fmt: skip
def test_the_box_answers_to_its_own_names_alone(site: Any, host: str) -> None:
    answer = signed_in(site).get("/account", Host=host)
    assert answer.status == 421
    assert "Éva" not in answer.text


@pytest.mark.parametrize(
    "host",
    [
     "greffier.local", "GREFFIER.LOCAL:8443", "192.0.2.1", "192.0.2.1:8443", "[2001:db8::1]",
     "[2001:db8::1]:8443", "localhost", "greffier", "greffier.lan", "box.hotel.example"],
)  # fmt: skip
def test_these_names_are_its_own(site: Any, host: str) -> None:
    named = replace(site, names=frozenset({"box.hotel.example"}))
    assert signed_in(named).get("/account", Host=host).status == 200


def test_a_saved_file_cannot_end_its_header(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = 'a";\r\nSet-Cookie: x=y; é/../../b.pdf'
    saving = Route("GET", "/saving", Right.ANYBODY, lambda _: Saved(name, "application/pdf", b"%PDF"))
    monkeypatch.setattr(app, "ROUTES", (saving,))
    header = visitor(site).get("/saving").header("Content-Disposition")
    assert header.startswith("attachment; filename=\"a_Set-Cookie_x_y_.._.._b.pdf\"; filename*=UTF-8''")
    assert not set("\r\n/") & set(header)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../accounts/store.py", "/static/..%2f..%2fguard.py",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static//etc/passwd", "/static/./../rights.py", "/static/..\\guard.py",
        "/static/greffier.css%00.png",
        "/static/vendor/../../templates/base.html", "/static/", "/static/vendor",
        "/branding/../accounts.sqlite",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(site: Any, path: str) -> None:
    answer = signed_in(site).get(path)
    assert answer.status == 404
    assert "import" not in answer.text
    assert "root:" not in answer.text
