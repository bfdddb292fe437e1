"""The guard on the way in: who is led to the door, what a refusal shows, what every answer carries."""

from pathlib import Path
from typing import Any

import pytest

from tests.webui.made_answers import made_keeper
from tests.webui.visiting import PASSWORD, Clock, add, made_site, visitor
from webui.accounts import factors
from webui.rights import Role


@pytest.fixture
def site(tmp_path: Path) -> Any:
    clock = Clock()
    made = made_site(tmp_path, made_keeper("good", clock()), clock)
    yield made
    made.accounts.close()


def test_a_stranger_is_led_to_the_door_from_everywhere(site: Any) -> None:
    for url, to in (
        ("/account", "/sign-in?next=/account"),
        ("/nothing?x=1", "/sign-in?next=/nothing%3Fx%3D1"),
    ):
        answer = visitor(site).get(url)
        assert (answer.status, answer.header("Location")) == (303, to)


def test_the_way_in_and_out(site: Any) -> None:
    import pyotp

    add(site, "Éva", Role.OPERATOR)
    secret = factors.new_secret()
    site.accounts.users.set_factor(1, secret, 0, ())
    browser = visitor(site)
    page = browser.get("/sign-in")
    assert page.status == 200
    before = dict(browser.cookies)
    answer = browser.post("/sign-in", {"name": "éva", "password": PASSWORD, "next": "/account"}, page.token)
    assert answer.header("Location") == "/sign-in/code?next=/account"
    assert browser.cookies != before
    page = browser.get("/sign-in/code?next=/account")
    code = pyotp.TOTP(secret).at(site.clock() // 10**9)
    answer = browser.post("/sign-in/code", {"code": code, "next": "/account"}, page.token)
    assert answer.header("Location") == "/account"


def test_a_wrong_password_shows_the_form_again_without_it(site: Any) -> None:
    add(site, "Éva", Role.OPERATOR)
    browser = visitor(site)
    token = browser.get("/sign-in").token
    answer = browser.post("/sign-in", {"name": "Éva", "password": "not this one"}, token)
    assert answer.status == 403
    assert 'value="Éva"' in answer.text
    assert "not this one" not in answer.text
