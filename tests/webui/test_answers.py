"""What leaves the page: notices, files with their validators, streams, refusals with what was typed."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.webui.made_answers import made_keeper
from tests.webui.visiting import Clock, made_site, signed_in, visitor
from webui import app, routes, shell
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route, Saved, Shown, Streamed

CSS = "/static/greffier.css"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Any]:
    clock = Clock()
    made = made_site(tmp_path, made_keeper("good", clock()), clock)
    yield made
    made.accounts.close()


def with_routes(monkeypatch: pytest.MonkeyPatch, *made: Route) -> None:
    monkeypatch.setattr(app, "ROUTES", made)
    monkeypatch.setattr(routes, "ROUTES", made)


def page(asked: Asked) -> Reply:
    return Shown("account_codes.html", {"codes": (), "next": "/"})


def test_a_notice_is_shown_once_to_whom_it_is_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = Route("POST", "/leaving", Right.SELF, lambda _: Moved("/page", "It is <b>done</b>."))
    with_routes(monkeypatch, leaving, Route("GET", "/page", Right.SELF, page))
    browser, other = signed_in(site, name="Éva"), signed_in(site, name="Paul")
    assert browser.post("/leaving").status == 303
    assert "done" not in other.get("/page").text
    assert "It is &lt;b&gt;done&lt;/b&gt;." in browser.get("/page").text
    assert "done" not in browser.get("/page").text


def test_static_files_are_kept_packed_and_asked_for_again_in_vain(site: Any) -> None:
    browser = visitor(site)
    plain = browser.get(CSS)
    assert plain.status == 200
    assert not browser.cookies, "nobody is looked up, and nobody gets a cookie"
    packed = browser.get(CSS, Accept_Encoding="gzip, br")
    assert packed.header("Content-Encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    tag = plain.header("ETag")
    again = browser.get(CSS, If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    assert browser.get(CSS, If_None_Match='"another"').status == 200
    assert plain.header("Cache-Control") == "public, no-cache"
    assert "immutable" in browser.get(f"{CSS}?v=1").header("Cache-Control")


def test_a_page_is_neither_packed_nor_kept(site: Any) -> None:
    """Lengths of packed pages would tell what is secret in them (BREACH)."""
    answer = signed_in(site).get("/account", Accept_Encoding="gzip")
    assert answer.header("Content-Encoding") == ""
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("ETag") == ""


def test_a_stream_ends_its_events_and_learns_that_nobody_reads(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    def events() -> Iterator[str]:
        try:
            yield "data: 1"
            yield "data: 2\n\n"
        finally:
            ended.append("closed")

    with_routes(
        monkeypatch,
        Route("GET", "/stream", Right.SELF, lambda _: Streamed(events())),
        Route("GET", "/none", Right.SELF, lambda _: Streamed(())),
    )
    browser = signed_in(site)
    answer = browser.get("/stream")
    assert answer.header("Content-Type").startswith("text/event-stream")
    assert answer.body == b"data: 1\n\n"
    assert ended == ["closed"]
    assert browser.get("/none").status == 204


def test_a_stream_keeps_no_session_alive(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with_routes(
        monkeypatch,
        Route("GET", "/stream", Right.SELF, lambda _: Streamed(("data: 1",))),
        Route("GET", "/page", Right.SELF, page),
    )
    for url, expected in (("/stream", 303), ("/page", 200)):
        browser = signed_in(site, name=f"Éva {url}".replace("/", ""))
        for _ in range(4):
            site.clock.go(600)
            answer = browser.get(url)
        assert answer.status == expected


def test_a_refused_change_shows_its_form_again(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(asked: Asked) -> Reply:
        raise Refusal("Not so.", field="name", status=409)

    seen: list[Asked] = []

    def form(asked: Asked) -> Reply:
        seen.append(asked)
        return Shown("users.html", dict.fromkeys(("accounts", "rotations"), ()) | _USERS)

    with_routes(
        monkeypatch,
        Route("GET", "/forms/<number>", Right.SELF, form),
        Route("POST", "/forms/<number>/take", Right.SELF, refuse, form="/forms/<number>"),
        Route("POST", "/alone", Right.SELF, refuse),
    )
    browser = signed_in(site)
    answer = browser.post("/forms/7/take", {"name": "typed before", "password": "never again"})
    assert answer.status == 409
    assert 'value="typed before"' in answer.text
    assert "Not so." in answer.text
    assert "never again" not in answer.text
    assert seen[-1].path == {"number": "7"}
    assert "/forms/7?language=" in answer.text, "its links lead to the form, not to the change"
    assert dict(seen[-1].form) == {}
    alone = browser.post("/alone")
    assert alone.status == 409
    assert "Not so." in alone.text


def test_what_nobody_should_see_is_typed_anew() -> None:
    typed = {
        "name": "a",
        "new_password": "b",
        "code": "c",
        "csrf": "d",
        "passphrase_again": "e",
        "private_key": "f",
    }
    given = shell.given_back(typed, Refusal("no"))["given"]
    assert dict(given) == {"name": "a"}
    assert given["anything"] == ""


_USERS = {"roles": {}, "grantable": {}, "rotation_days": 0}


def test_the_language_is_chosen_once_and_kept(site: Any) -> None:
    browser = visitor(site)
    browser.language = "de, en;q=0.5"
    assert 'lang="en"' in browser.get("/sign-in").text
    assert 'lang="fr"' in browser.get("/sign-in?language=fr").text
    assert 'lang="fr"' in browser.get("/sign-in").text
    assert 'lang="fr"' in browser.get("/sign-in?language=xx").text


def test_a_file_is_saved_under_its_name(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with_routes(
        monkeypatch,
        Route("GET", "/a", Right.SELF, lambda _: Saved("registre.pdf", "application/pdf", b"%PDF")),
        Route("GET", "/b", Right.SELF, lambda _: Saved("clé.age", "text/plain", b"x", inline=True)),
    )
    browser = signed_in(site)
    assert browser.get("/a").header("Content-Disposition") == 'attachment; filename="registre.pdf"'
    assert browser.get("/b").header("Content-Disposition") == (
        "inline; filename=\"cl_.age\"; filename*=UTF-8''cl%C3%A9.age"
    )
    assert browser.get("/a").header("Cache-Control") == "no-store"
