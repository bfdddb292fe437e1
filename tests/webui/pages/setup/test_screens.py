"""The first boot as a browser walks through it, with the real keeper's answers."""

import datetime as dt
import json
import re
from pathlib import Path

import pytest

from appliance.config import box as settings
from appliance.control.messages import SetUp
from appliance.runtime import custodian_keys
from tests.webui.pages.setup.walking import CODE, NAME, NETWORK, PASSWORD, Box, fresh
from webui.protection import COOKIE
from webui.rights import Right, Role
from webui.routes import ROUTES


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return fresh(tmp_path)


def to_custodians(box: Box) -> None:
    box.enter()
    box.prove_factor()
    assert box.describe_site().header("Location") == "/setup/custodians"


def files_with(folder: Path, *words: bytes) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_socket()]
    return [path for path in files if any(word in path.read_bytes() for word in words)]


def test_from_the_code_to_a_box_with_an_operator(box: Box) -> None:
    assert box.enter().header("Location") == "/setup/factor"
    assert box.prove_factor().header("Location") == "/setup/site"
    assert "1,210 of them of others" in box.installer.get("/setup/site?listen=yes").text
    assert box.describe_site().header("Location") == "/setup/custodians"
    alice = box.make_key("Alice Martin")
    bob = box.make_key("Maître Blanc", passphrase="correct horse", again="correct horse")
    keys = [box.save_key(alice), box.save_key(bob)]
    assert box.installer.post("/setup/custodians", {"quorum": "2"}).header("Location") == "/setup/centrals"
    config = settings.read(box.home / "box.toml")
    assert (config.site, config.client_networks, config.capture.interfaces) == (
        "Hôtel du Port",
        (NETWORK,),
        ("mirror0",),
    )
    assert (config.custodians, config.quorum) == ((alice, bob), 2)
    assert box.site.accounts.users.named(NAME).role is Role.OPERATOR
    assert box.site.accounts.client() == "Hôtel du Port"
    assert box.installer.post("/setup/centrals").header("Location") == "/setup/tests"
    assert "The folder of the box" in box.installer.get("/setup/tests").text
    assert box.installer.post("/setup/tests").header("Location") == "/"
    assert box.ended == ["ended"]
    secrets = [keys[0].splitlines()[-1], keys[1].splitlines()[2], PASSWORD.encode(), CODE.encode()]
    assert files_with(box.home.parent, *secrets) == []
    assert files_with(box.home.parent, alice.encode()), "the search finds what is there"


def test_the_box_is_made_in_the_administrators_name(box: Box) -> None:
    to_custodians(box)
    for name in ("Alice", "Bob"):
        box.save_key(box.make_key(name))
    box.installer.post("/setup/custodians", {"quorum": "2"})
    actor = next(actor for actor, ask in box.keeper.asked if isinstance(ask, SetUp))
    assert (actor.name, actor.role, actor.origin) == (NAME, "operator", box.installer.address)


def test_who_holds_which_key_is_known_afterwards_and_that_it_was_made_here_is_noted(box: Box) -> None:
    to_custodians(box)
    brought, _ = custodian_keys.draw(None, dt.datetime(2026, 11, 22, tzinfo=dt.UTC))
    alice = box.make_key("Alice Martin")
    box.save_key(alice)
    box.installer.post("/setup/custodians/bring", {"owner": "Maître Blanc", "recipient": brought})
    box.installer.post("/setup/custodians", {"quorum": "2"})
    assert box.site.settings.values().custodians == {alice: "Alice Martin", brought: "Maître Blanc"}
    told = [json.loads(line) for line in (box.home / "audit" / "chain.jsonl").read_bytes().splitlines()]
    noted = [(line["step"], line["subject"]) for line in told if line.get("step") == "make-custodians"]
    assert noted == [("make-custodians", "Alice Martin")]


def test_whatever_is_asked_for_leads_to_the_set_up_until_it_is_done(box: Box) -> None:
    stranger = box.stranger()
    for route in ROUTES:
        if route.method == "GET" and not route.path.startswith(("/static", "/branding", "/setup")):
            assert stranger.get(route.path.replace("<", "").replace(">", "")).header("Location") == "/setup"


def test_no_screen_opens_to_who_does_not_have_the_code(box: Box) -> None:
    to_custodians(box)
    recipient = box.make_key("Alice")
    stranger = box.stranger()
    stranger.get("/setup")
    for route in ROUTES:
        if route.right is Right.SET_UP:
            url = route.path.replace("<recipient>", recipient)
            answer = stranger.get(url) if route.method == "GET" else stranger.post(url)
            assert (answer.status, answer.header("Location")) == (303, "/setup"), route
    assert [ask for actor, ask in box.keeper.asked if actor.origin == stranger.address] == []


def test_the_session_that_entered_is_not_the_one_that_came(box: Box) -> None:
    box.installer.get("/setup")
    planted = box.installer.cookies[COOKIE]
    box.enter()
    assert box.installer.cookies[COOKIE] != planted
    thief = box.stranger()
    thief.cookies[COOKIE] = planted
    assert thief.get("/setup/factor").header("Location") == "/setup"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"label": "WRONG-CODE"}, "not the set-up code"),
        ({"password": "short", "again": "short"}, "12 characters at least"),
        ({"password": "password1234", "again": "password1234"}, "first that a burglar tries"),
        ({"again": "something else"}, "not the same"),
        ({"name": ""}, "Give a name"),
        ({"name": "<script>"}, "Give a name"),
    ],
)
def test_a_first_screen_that_is_wrong_is_shown_again(box: Box, typed: dict[str, str], said: str) -> None:
    answer = box.enter(**typed)
    assert answer.status == 400
    assert said in answer.text
    assert PASSWORD not in answer.text
    assert box.installer.get("/setup/factor").header("Location") == "/setup"


def test_screens_are_not_skipped(box: Box) -> None:
    box.enter()
    for screen in ("site", "custodians", "centrals", "tests"):
        assert box.installer.get(f"/setup/{screen}").header("Location") == "/setup/factor"
        assert box.installer.post(f"/setup/{screen}").header("Location") == "/setup/factor"
    assert not box.home.exists()
    assert not box.ended


def test_a_wrong_factor_is_none(box: Box) -> None:
    box.enter()
    for given in ({"code": "000000", "kept": "yes"}, {"code": "", "kept": "yes"}, {"kept": "no"}):
        assert box.installer.post("/setup/factor", given).status == 400
    assert box.installer.get("/setup/site").header("Location") == "/setup/factor"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"site": " "}, "Give the site a name"),
        ({"site": "日本 Hotel"}, "cannot print these letters: 日本"),
        ({"networks": ""}, "Name at least one network"),
        ({"networks": "0.0.0.0/0", "public": "yes"}, "more than the networks of one site"),
        ({"networks": "192.168.10.0/24 nonsense"}, "“nonsense” is not a network"),
        ({"interface": "a/b"}, "no name of an interface"),
    ],
)
def test_a_site_that_cannot_be_meant_is_refused(box: Box, typed: dict[str, str], said: str) -> None:
    box.enter()
    box.prove_factor()
    given = {"site": "Hôtel", "networks": NETWORK, "interface": "mirror0", "do": "next"} | typed
    answer = box.installer.post("/setup/site", given)
    assert answer.status == 400
    assert said in answer.text


def test_a_public_network_is_taken_for_the_clients_only_if_that_is_confirmed(box: Box) -> None:
    box.enter()
    box.prove_factor()
    assert "belong to somebody on the Internet" not in box.installer.get("/setup/site").text
    given = {"site": "Hôtel", "networks": f"{NETWORK} 17.248.185.0/24", "interface": "mirror0", "do": "next"}
    answer = box.installer.post("/setup/site", given)
    assert answer.status == 400
    assert "“17.248.185.0/24” belongs to the Internet" in answer.text
    assert "A public network: 17.248.185.0/24." in answer.text
    answer = box.installer.post("/setup/site", given | {"public": "yes"})
    assert answer.header("Location") == "/setup/custodians"


def test_without_a_script_listening_loses_nothing_that_was_typed(box: Box) -> None:
    box.enter()
    box.prove_factor()
    given = {"site": "Chez Zoé", "networks": "10.1.0.0/16", "interface": "eth7", "do": "listen"}
    back = box.installer.post("/setup/site", given).header("Location")
    page = box.installer.get(back).text
    assert 'value="Chez Zoé"' in page
    assert "10.1.0.0/16" in page
    assert "1,210 of them of others" in page


def test_the_box_is_not_made_before_every_key_is_saved(box: Box) -> None:
    to_custodians(box)
    assert box.installer.post("/setup/custodians", {"quorum": "2"}).status == 400
    alice, bob = box.make_key("Alice"), box.make_key("Bob")
    box.save_key(alice)
    assert box.installer.post("/setup/custodians", {"quorum": "2"}).status == 400
    key = box.installer.get(f"/setup/custodians/{bob}/key").body
    wrong = box.installer.upload(f"/setup/custodians/{bob}/proof", {}, {"file": ("x", key[:-1])})
    assert wrong.status == 400
    assert "not the key file of Bob" in wrong.text
    assert box.installer.upload(f"/setup/custodians/{bob}/proof", {}, {}).status == 400
    assert box.installer.post("/setup/custodians", {"quorum": "2"}).status == 400
    assert not box.home.exists()


def test_a_name_that_its_sheet_cannot_show_is_refused(box: Box) -> None:
    to_custodians(box)
    answer = box.installer.post(
        "/setup/custodians/make", {"name": "Élodie 花", "passphrase": "", "again": ""}
    )
    assert (answer.status, "cannot print these letters: 花" in answer.text) == (400, True)


def test_a_key_that_is_saved_is_given_out_no_more(box: Box) -> None:
    to_custodians(box)
    alice = box.make_key("Alice")
    assert b"AGE-SECRET-KEY-1" in box.save_key(alice)
    for piece in ("key", "sheet"):
        assert box.installer.get(f"/setup/custodians/{alice}/{piece}").status == 303


def test_a_public_key_is_brought_and_checked(box: Box) -> None:
    to_custodians(box)
    recipient = "age1hgnkzl2utwhky0zqp6xcsjyyrlnyz0wmcs2txqyl6e5jvh8ng9uscrf2ra"
    for typed, said in (
        ("age1nonsense", "not a public key"),
        (recipient[:-1] + "q", "not a public key"),
        ("AGE-SECRET-KEY-1XYZ", "not a public key"),
    ):
        answer = box.installer.post("/setup/custodians/bring", {"owner": "Alice", "recipient": typed})
        assert (answer.status, said in answer.text) == (400, True)
    mine = box.make_key("Bob")
    again = box.installer.post("/setup/custodians/bring", {"owner": "Alice", "recipient": mine})
    assert "in the list already" in again.text


def test_a_quorum_of_one_or_of_more_than_there_are_is_refused(box: Box) -> None:
    to_custodians(box)
    for name in ("Alice", "Bob"):
        box.save_key(box.make_key(name))
    for quorum in ("1", "3", "0", "-2", "two", "²", ""):
        assert box.installer.post("/setup/custodians", {"quorum": quorum}).status == 400
    assert not box.home.exists()


def test_a_central_is_enrolled_only_after_its_fingerprint_was_agreed_to(box: Box) -> None:
    to_custodians(box)
    for name in ("Alice", "Bob"):
        box.save_key(box.make_key(name))
    box.installer.post("/setup/custodians", {"quorum": "2"})
    look = {"url": "https://central.example.net/", "central_code": "O6QX IAGE"}
    box.installer.post("/setup/centrals/look", look)
    assert "6397" in box.installer.get("/setup/centrals").text
    box.installer.post("/setup/centrals/agree", {"do": "other"})
    assert not [ask for _, ask in box.keeper.asked if type(ask).__name__ == "EnrolCentral"]
    box.installer.post("/setup/centrals/look", look)
    box.installer.post("/setup/centrals/agree", {"do": "agree"})
    enrolled = [ask for _, ask in box.keeper.asked if type(ask).__name__ == "EnrolCentral"]
    assert [(ask.url, ask.code) for ask in enrolled] == [("https://central.example.net", "O6QXIAGE")]
    for url in ("http://central.example.net", "https://user@central", "ftp://x", "https://a/b"):
        assert box.installer.post("/setup/centrals/look", look | {"url": url}).status == 400


def test_the_last_screen_says_that_the_legal_basis_is_to_be_confirmed_and_leads_there(box: Box) -> None:
    to_custodians(box)
    for name in ("Alice", "Bob"):
        box.save_key(box.make_key(name))
    box.installer.post("/setup/custodians", {"quorum": "2"})
    box.installer.post("/setup/centrals")
    page = box.installer.get("/setup/tests").text
    assert re.search(r"this box knows ended on \d+ [A-Z][a-z]+ \d{4}\.", page)
    assert box.installer.post("/setup/tests", {"do": "law"}).header("Location") == "/retention"
    assert box.installer.get("/retention").header("Location") == "/sign-in?next=/retention"


def test_after_the_end_its_pages_are_gone(box: Box) -> None:
    to_custodians(box)
    for name in ("Alice", "Bob"):
        box.save_key(box.make_key(name))
    for screen, given in (("custodians", {"quorum": "2"}), ("centrals", {}), ("tests", {})):
        box.installer.post(f"/setup/{screen}", given)
    for url in ("/setup", "/setup/custodians", "/setup/factor"):
        assert box.installer.get(url).status == 404
        assert box.stranger().get(url).status == 404
    assert box.installer.get("/").header("Location") == "/sign-in"
