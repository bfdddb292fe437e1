"""No other site makes a browser that is signed in change anything: every changing route, by enumeration."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.control import messages
from tests.webui.made_answers import made_keeper
from tests.webui.visiting import HOST, Clock, Visitor, made_site, signed_in, visitor
from webui import app, protection, routes
from webui.rights import Right, Role
from webui.routing import Saved

CHANGING = [route for route in routes.ROUTES if route.method == "POST"]
READING = [route for route in routes.ROUTES if route.method == "GET"]

FOREIGN = (
    {"token": ""},
    {"token": "0" * 64},
    {"token": protection.token_of(protection.new_secret())},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": f"http://{HOST}"},
    {"Origin": f"https://{HOST}:8443"},
    {"Origin": f"https://{HOST}.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)
"""Without a token, with another's; from elsewhere with the right one, as if it had leaked."""


class Reached(Exception):
    """A page's function was called."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    shown = tuple(
        replace(one, show=lambda _: Saved("", "text/plain", b"reached"))
        if one.method == "POST"
        else replace(one, right=Right.SELF if one.right is Right.SET_UP else one.right)
        for one in routes.ROUTES
    )
    monkeypatch.setattr(app, "ROUTES", shown)
    clock = Clock()
    made = made_site(tmp_path, made_keeper("good", clock()), clock)
    yield made
    made.accounts.close()


class Admitting:
    """A first boot that admits everybody."""

    done = False

    def admits(self, session: str) -> bool:
        return True


def at(route: Any, site: Any) -> Visitor:
    """A browser that may have this route."""
    if route.path.startswith("/setup"):
        made = visitor(replace(site, first_boot=Admitting()))
        made.cookies[protection.COOKIE] = protection.new_secret()
        return made
    return signed_in(site, Role.OPERATOR, f"Éva {site.accounts.users.all().__len__()}")


@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.path)
def test_no_foreign_form_reaches_a_changing_route(site: Any, route: Any) -> None:
    url = re.sub(r"<[^>]+>", "1", route.path)
    browser = at(route, site)
    for forged in FOREIGN:
        answer = browser.post(url, {}, **forged)
        assert answer.status == 403, forged
        assert b"reached" not in answer.body, forged
    own = {"Origin": f"https://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert browser.post(url, {}, **own).body == b"reached", "its own form does"
    assert browser.post(url).body == b"reached", "that of a browser that says nothing, too"


def test_every_change_is_a_post_and_every_post_a_change() -> None:
    assert {route.method for route in routes.ROUTES} == {"GET", "POST"}
    assert len(CHANGING) > 20


def test_nothing_is_changed_by_looking(tmp_path: Path) -> None:
    """Every page is opened, as an operator: the keeper is asked, and told nothing but who looked."""
    clock = Clock()
    site = made_site(tmp_path, made_keeper("good", clock()), clock)
    browser = signed_in(site)
    accounts = site.accounts.users.all()
    for route in READING:
        if not route.path.startswith(("/setup", "/live", "/about/source")):
            browser.get(re.sub(r"<[^>]+>", "1", route.path))
    looks = {"see-devices", "see-journal", "print-document"}
    for _, ask in site.keeper.asked:
        is_look = isinstance(ask, messages.NoteStep) and ask.step in looks
        assert is_look or type(ask).__name__.startswith("Ask"), ask
    assert site.accounts.users.all() == accounts
    site.accounts.close()
