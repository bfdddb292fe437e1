"""Names that are attacks are text: on every page, in every field, whoever gave them."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.webui.made_answers import HOSTILE, made_keeper
from tests.webui.routes_of_pages import READING, url_of
from tests.webui.visiting import Answer, Clock, made_site, signed_in
from webui import app, protection, routes
from webui.rights import Right
from webui.routing import Refusal, Route, Saved

WEBUI = Path(protection.__file__).parent


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Any]:
    clock = Clock()
    made = made_site(tmp_path, made_keeper("good", clock()), clock)
    yield made
    made.accounts.close()


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Any]:
    """A box all of whose names are attacks: SSIDs, labels of access points, texts of syslog, users."""
    clock = Clock()
    made = made_site(tmp_path, made_keeper("hostile", clock()), clock)
    yield made
    made.accounts.close()


class Looking(HTMLParser):
    """Collects what a page would have a browser do."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("iframe", "object", "embed", "base", "applet", "style"):
            self.wrong.append(tag)
        if (
            tag == "script"
            and not (given.get("src") or "").startswith("/static/")
            and given.get("type") != "application/json"
        ):
            self.wrong.append(f"script {given}")
        if tag == "img" and not (given.get("src") or "").startswith(
            ("/branding/", "/static/", "data:image/")
        ):
            self.wrong.append(f"img {given}")
        self.wrong += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        for name in ("href", "action", "src", "formaction"):
            target = (given.get(name) or "").strip().lower()
            if target.startswith(("javascript:", "vbscript:", "data:text", "//")):
                self.wrong.append(f"{tag} {name}={target}")


def is_harmless(answer: Answer) -> None:
    assert answer.status < 500
    if answer.header("Content-Type").startswith("text/html"):
        looking = Looking()
        looking.feed(answer.text)
        looking.close()
        assert looking.wrong == []
        assert "49%s" not in answer.text, "a name was taken for a template"


@pytest.mark.parametrize("route", READING, ids=lambda route: route.path)
def test_names_that_are_attacks_are_text(hostile: Any, route: Route) -> None:
    """SSID, host name, text of syslog, label of an access point, user name, in French and in English."""
    hostile.settings.change(
        places={"vlan 20": "<img src=x onerror=alert(1)>", HOSTILE[:40]: "\"'><script>alert(1)"}
    )
    for language in ("fr", "en"):
        browser = signed_in(hostile, name=f"Éva {language}")
        browser.agent = HOSTILE
        browser.cookies[protection.COOKIE] = hostile.accounts.begin(
            f"Éva {language}", HOSTILE, browser.address
        )
        browser.language = language
        is_harmless(browser.get(url_of(route)))
        if "<" in route.path:
            is_harmless(browser.get(url_of(route, HOSTILE)))


def test_whatever_is_asked_for_is_text(hostile: Any) -> None:
    """Every key that any page reads of a query, with an attack in it, on every page."""
    keys = _keys(r"query(?:\.get\(|\[)\s*\"(\w+)\"")
    assert len(keys) > 3
    query = "&".join(f"{key}={quote(HOSTILE, safe='')}" for key in sorted(keys - {"language"}))
    browser = signed_in(hostile)
    for route in READING:
        is_harmless(browser.get(f"{url_of(route)}?{query}"))


def test_whatever_is_typed_is_text(hostile: Any) -> None:
    """Every field that any page reads of a form, with an attack in it, to every route; and shown again."""
    keys = _keys(r"(?:form|fields)(?:\.get\(|\[)\s*\"(\w+)\"")
    assert len(keys) > 20
    browser = signed_in(hostile)
    for route in routes.ROUTES:
        if route.method == "POST" and not route.path.startswith(("/setup", "/sign")):
            answer = browser.post(url_of(route), dict.fromkeys(sorted(keys), HOSTILE))
            is_harmless(answer)
            browser.cookies[protection.COOKIE] = hostile.accounts.begin(
                "Test operator", browser.agent, browser.address
            )


def _keys(pattern: str) -> set[str]:
    texts = [file.read_text(encoding="utf-8") for file in (WEBUI / "pages").rglob("*.py")]
    return {key for text in texts for key in re.findall(pattern, text)}


def test_a_user_cannot_be_called_an_attack(site: Any) -> None:
    browser = signed_in(site)
    for name in (
        "<script>alert(1)</script>",
        "a\x00b",
        "",
        " ",
        "x" * 65,
        "a\u202eb",
        "{{7*7}}",
        "a;b",
        "a/b",
    ):
        assert browser.post("/users", {"name": name, "role": "auditor"}).status == 400, name
    for name in ("Zoé O’Neill", "jean-pierre.martin@hotel.example", "山田 太郎"):
        assert browser.post("/users", {"name": name, "role": "auditor"}).status == 303, name
    assert browser.post("/users", {"name": "ZOE\u0301 o’neill", "role": "auditor"}).status == 400, (
        "the same name"
    )


def test_a_refusal_shows_the_keepers_sentence_as_text(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(asked: Any) -> Any:
        raise Refusal("<b>no</b>", said=HOSTILE)

    pair = (
        Route("GET", "/one", Right.SELF, lambda _: Saved("", "text/plain", b"")),
        Route("POST", "/one", Right.SELF, refuse),
    )
    monkeypatch.setattr(app, "ROUTES", pair)
    answer = signed_in(site).post("/one")
    assert answer.status == 400
    is_harmless(answer)
    assert "<b>no</b>" not in answer.text
