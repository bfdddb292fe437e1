"""Every route x role x client x extras, as the tables of the documentation say: each cell is tried.

The expectation is read out of `webui/README.md`, which people read and review; what is tried is the page's
own application, its guard and its sessions. Only what a page shows is left out.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.webui.made_answers import made_keeper
from tests.webui.visiting import Answer, Clock, Visitor, made_site, signed_in, visitor
from webui import app, permissions, refusing, rights, routes
from webui.rights import Person, Right, Role
from webui.routing import Saved

OWN, OTHER = "Hôtel du Port", "Café de la Gare"
CLIENTS = {"all": None, "own": frozenset({OWN}), "other": frozenset({OTHER}), "none": frozenset[str]()}
README = Path(permissions.__file__).with_name("README.md").read_text(encoding="utf-8")
INSIDE = b"let in"


def table(mark: str) -> list[list[str]]:
    """The rows of a table of the documentation, without its head."""
    found = re.search(rf"<!-- {mark} -->\n(.*?)\n<!-- end", README, re.DOTALL)
    assert found
    rows = [
        [cell.strip().strip("`") for cell in line.strip("| ").split("|")] for line in found[1].splitlines()
    ]
    return [rows[0], *rows[2:]]


@functools.cache
def roles_said() -> dict[tuple[str, str], str]:
    """(role, right) -> yes, extra or –."""
    (_, *roles), *rows = table("roles")
    return {(role, right): cell for right, *cells in rows for role, cell in zip(roles, cells, strict=True)}


@functools.cache
def routes_said() -> dict[tuple[str, str], str]:
    """(method, path) -> the right, `anybody` or `the set-up code`."""
    return {(method, path): needs for method, path, needs in table("routes")[1:]}


def is_let_in(role: str, needs: str, client: str, extras: frozenset[Right]) -> bool:
    """What the documentation says of one cell."""
    if needs == "anybody":
        return True
    if needs == "the set-up code" or client in ("other", "none"):
        return False
    said = roles_said()[role, needs]
    return said == "yes" or (said == "extra" and needs in extras)


def test_the_documentation_is_what_the_code_says() -> None:
    assert permissions.written(README) == README, "run: python -m webui.permissions"


def test_every_route_is_in_the_documentation_once() -> None:
    assert sorted(routes_said()) == sorted((route.method, route.path) for route in routes.ROUTES)
    assert {method for method, _ in routes_said()} == {"GET", "POST"}


def test_only_these_are_for_strangers() -> None:
    """By hand, so that a new one is seen by somebody."""
    open_ = {f"{method} {path}" for (method, path), needs in routes_said().items() if needs == "anybody"}
    assert open_ == {
        "GET /branding.css", "GET /branding/logo", "GET /ca.pem", "GET /static/<name:path>",
        "GET /setup", "POST /setup",
        "GET /sign-in", "POST /sign-in", "POST /sign-out",
        "GET /sign-in/code", "POST /sign-in/code", "GET /sign-in/password", "POST /sign-in/password",
        "GET /sign-in/factor", "POST /sign-in/factor",
    }  # fmt: skip


def test_only_these_may_change_anything() -> None:
    """By hand: whom the box is changed by."""
    changing = {right for _, right in roles_said() if right.startswith(("change-", "confirm-"))}
    may = {role for (role, right), said in roles_said().items() if right in changing and said == "yes"}
    assert may == {"operator", "client-technical"}
    technical = {
        right for (role, right), said in roles_said().items() if role == "client-technical" and said == "yes"
    }
    assert technical & changing == {"change-sources", "change-replication"}


def test_every_role_client_and_extra_alone() -> None:
    for role, right, (name, clients), extra in product(Role, Right, CLIENTS.items(), (None, *Right)):
        extras = frozenset({extra} if extra else ())
        person = Person("x", role, clients, extras)
        needs = {Right.SET_UP: "the set-up code"}.get(right, right.value)
        assert rights.may(person, right, OWN) is is_let_in(role, needs, name, extras), (
            role,
            right,
            name,
            extra,
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The page with all its routes, whose pages show nothing but that they were reached."""
    shown = tuple(replace(one, show=lambda _: Saved("", "text/plain", INSIDE)) for one in routes.ROUTES)
    monkeypatch.setattr(app, "ROUTES", shown)
    clock = Clock()
    made = made_site(tmp_path, made_keeper("good", clock()), clock)
    made.accounts.set_client(OWN)
    yield made
    made.accounts.close()


def tried(browser: Visitor, method: str, path: str) -> Answer:
    url = re.sub(r"<[^>]+>", "1", path)
    return browser.post(url) if method == "POST" else browser.get(url)


@pytest.mark.parametrize("role", Role)
def test_every_route_for_every_role_and_client(site: Any, role: Role) -> None:
    cells = 0
    for (name, clients), extras in product(CLIENTS.items(), (frozenset[Right](), frozenset(Right))):
        browser = signed_in(site, role, f"{role} {name} {len(extras)}", clients=clients, extras=extras)
        for (method, path), needs in routes_said().items():
            answer = tried(browser, method, path)
            expected = is_let_in(role, needs, name, extras) and not path.startswith("/setup")
            assert (answer.body == INSIDE) is expected, (role, name, method, path, answer.status)
            assert answer.status == (200 if expected else 404 if path.startswith("/setup") else 403)
            cells += 1
    assert cells == 8 * len(routes.ROUTES)


def test_a_stranger_gets_to_the_door_and_no_further(site: Any) -> None:
    for (method, path), needs in routes_said().items():
        answer = tried(visitor(site), method, path)
        if path.startswith("/setup"):
            assert answer.status == 404
        elif needs == "anybody":
            assert answer.body == INSIDE or method == "POST", path
        else:
            assert answer.status == 303, path
            assert answer.header("Location").startswith("/sign-in"), path


@pytest.mark.parametrize("stage", ["factor", "renewal", "enrolment"])
def test_who_is_on_the_way_in_is_a_stranger_still(site: Any, stage: str) -> None:
    browser = signed_in(site, Role.OPERATOR, "Éva")
    number = site.accounts.users.named("Éva").id
    secret = site.accounts.sessions.begin(number, stage, browser.address, browser.agent)
    browser.cookies["__Host-greffier"] = secret
    for (method, path), needs in routes_said().items():
        if needs != "anybody" and not path.startswith("/setup"):
            answer = tried(browser, method, path)
            assert answer.header("Location").startswith("/sign-in"), path


class SettingUp:
    """A first boot that admits one session."""

    done = False

    def __init__(self, session: str) -> None:
        self.session = session

    def admits(self, session: str) -> bool:
        return session == self.session


def test_until_it_is_set_up_every_route_leads_there(site: Any) -> None:
    setting_up = replace(site, first_boot=SettingUp("nobody's"))
    browser = signed_in(setting_up, Role.OPERATOR, "Éva")
    for method, path in routes_said():
        answer = tried(browser, method, path)
        if not path.startswith(("/setup", "/static", "/branding")):
            assert (answer.status, answer.header("Location")) == (303, "/setup"), path
        elif path.startswith("/setup/"):
            assert answer.header("Location") == "/setup", "not without the code"


def test_with_the_code_the_set_up_is_open_to_that_session_alone(site: Any) -> None:
    from webui import protection

    secret = protection.new_secret()
    setting_up = replace(site, first_boot=SettingUp(protection.number_of(secret)))
    admitted, other = visitor(setting_up), visitor(setting_up)
    admitted.cookies[protection.COOKIE] = secret
    other.cookies[protection.COOKIE] = protection.new_secret()
    for (method, path), needs in routes_said().items():
        if needs == "the set-up code":
            assert tried(admitted, method, path).body == INSIDE, path
            assert tried(other, method, path).header("Location") == "/setup", path


def test_who_asks_for_what_he_may_not_is_noted_once(site: Any) -> None:
    browser = signed_in(site, Role.SITE_MANAGER, "Paul", clients=(OWN,))
    for _ in range(3):
        assert browser.get("/journal").status == 403
    noted = [(actor.name, ask.step, ask.subject) for actor, ask in site.keeper.asked]
    assert noted == [("Paul", "access-refused", "GET /journal")]
    assert refusing.SENTENCES[403] in browser.get("/journal").text
