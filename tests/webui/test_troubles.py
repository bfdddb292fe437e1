"""Every trouble has its sentences in both languages, whoever reads them and whatever it is about."""

import re

import pytest

from appliance.control.messages import Finding
from appliance.control.words import Level, Trouble
from webui.rights import TABLE, Right, Role
from webui.routes import ROUTES
from webui.troubles import in_order, told

SUBJECTS = (
    "",
    "eth1",
    "interface:eth1, interface:eth2",
    "bornes/00:1b:2f:aa:00:01",
    "traffic",
    "100%s %(x)s",
)


@pytest.mark.parametrize("trouble", Trouble)
def test_each_says_what_why_and_what_to_do(trouble: Trouble) -> None:
    for subject in SUBJECTS:
        for count in (0, 1, 2):
            finding = Finding(trouble, Level.FAILING, subject, count=count)
            french, english = (
                told(finding, language, lambda name: name, lambda right: True) for language in ("fr", "en")
            )
            for one in (french, english):
                assert one.what
                assert one.why
                assert one.todo
                assert not re.search(r"%\(num|%\(subject|  |^ ", one.what + one.why + one.todo)
            assert french.todo != english.todo
            assert french.what != english.what


def test_a_link_is_only_for_who_may_follow_it() -> None:
    paths = {route.path for route in ROUTES}
    for trouble in Trouble:
        finding = Finding(trouble, Level.ATTENTION, "x")
        assert told(finding, "en", str, lambda right: False).path == ""
        path = told(finding, "en", str, lambda right: True).path
        assert path in paths | {""}


def test_the_rights_are_those_of_the_pages() -> None:
    """The link that a person is shown is one that its route admits him to."""
    rights = {route.path: route.right for route in ROUTES if route.method == "GET"}
    for trouble in Trouble:
        asked: list[Right] = []
        one = told(Finding(trouble, Level.ATTENTION), "en", str, lambda right: not asked.append(right))  # noqa: B023
        if one.path:
            assert asked[0] == rights[one.path]


def test_nobody_is_told_to_do_what_he_may_not() -> None:
    """A site manager can neither confirm a text nor enrol a central; an operator can."""
    for trouble in (Trouble.BASIS_LAPSED, Trouble.VAULT_STOPPED, Trouble.NO_CENTRAL, Trouble.SENDERS_WAIT):
        todo = {
            role: told(Finding(trouble, Level.ATTENTION), "en", str, TABLE[role].__contains__).todo
            for role in (Role.OPERATOR, Role.SITE_MANAGER)
        }
        assert "tell them" in todo[Role.SITE_MANAGER]
        assert "tell them" not in todo[Role.OPERATOR]


def test_a_place_has_the_name_that_the_site_gave_it() -> None:
    finding = Finding(Trouble.ACCESS_POINT_SILENT, Level.ATTENTION, "bornes/00:1b:2f:aa:00:01")
    names = {"00:1b:2f:aa:00:01": "Terrasse"}
    assert told(finding, "fr", lambda name: names.get(name, name), lambda right: True).what == (
        "La borne Terrasse ne dit plus rien"
    )


def test_the_gravest_comes_first() -> None:
    found = (
        Finding(Trouble.NO_CENTRAL, Level.ATTENTION),
        Finding(Trouble.DISK_FULL, Level.FAILING),
        Finding(Trouble.SENDERS_WAIT, Level.ATTENTION),
    )
    assert [one.trouble for one in in_order(found)] == [
        Trouble.DISK_FULL,
        Trouble.NO_CENTRAL,
        Trouble.SENDERS_WAIT,
    ]
