"""Settings on the page: what is typed is kept, the journal is told first, and the look follows."""

import io

import pytest
from PIL import Image

from appliance.control import messages as m
from appliance.control.steps import Step
from appliance.model.errors import ControlError, StorageError
from tests.webui.made_answers import MadeKeeper, made_keeper
from tests.webui.visiting import Clock, made_site, signed_in, visitor

CLOCK = Clock()


@pytest.fixture
def box(tmp_path):
    keeper = made_keeper("good", CLOCK())
    site = made_site(tmp_path, keeper, CLOCK)
    yield keeper, signed_in(site), site
    site.accounts.close()


def picture(kind="PNG"):
    drawn = io.BytesIO()
    Image.new("RGB", (40, 20), "teal").save(drawn, kind)
    return drawn.getvalue()


def test_places_and_groups_are_named_and_taken_away(box):
    _keeper, browser, site = box
    form = {"place": ["vlan 20", "vlan 30", " "], "name": ["Hall", "", "nowhere"]}
    assert browser.post("/settings/places", form).status == 303
    assert site.settings.values().places == {"vlan 20": "Hall"}
    assert browser.post("/settings/group", {"group": "Bas", "members": ["vlan 20", "none"]}).status == 303
    assert site.settings.values().groups == {"Bas": ("vlan 20", "none")}
    assert "Bas" in browser.get("/settings").text
    assert browser.post("/settings/group", {"group": "Bas"}).status == 303
    assert site.settings.values().groups == {}


def test_contacts_stand_on_the_notice(box):
    _keeper, browser, _site = box
    assert (
        browser.post("/settings/contacts", {"controller": "SARL du Port", "email": "a@b.example"}).status
        == 303
    )
    assert "SARL du Port" in browser.get("/about/notice").text
    assert browser.get("/about/notice.pdf").body.startswith(b"%PDF-")
    assert browser.post("/settings/contacts", {"controller": "x" * 301}).status == 400


def test_the_look_is_for_everybody_before_sign_in_too(box):
    _keeper, browser, site = box
    form = {"name": "Hôtel du Port", "own_colour": "yes", "colour": "#AA3300"}
    assert browser.upload("/settings/branding", form, {"logo": ("logo.jpg", picture("JPEG"))}).status == 303
    stranger = visitor(site)
    assert stranger.get("/branding/logo").body.startswith(b"\x89PNG")
    assert "#aa3300" in stranger.get("/branding.css").text
    assert "Hôtel du Port" in stranger.get("/sign-in").text
    assert browser.upload("/settings/branding", {**form, "without_logo": "yes"}, {}).status == 303
    assert stranger.get("/branding/logo").status == 404


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ({"name": "x", "own_colour": "yes", "colour": "red;} body {display:none"}, {}),
        ({"name": "x" * 61}, {}),
        ({"name": "x"}, {"logo": ("logo.svg", b"<svg onload=alert(1)>")}),
    ],
)
def test_a_look_that_could_do_harm_is_refused(box, form, files):
    _keeper, browser, site = box
    assert browser.upload("/settings/branding", form, files).status == 400
    assert site.settings.values().branding.name == "Greffier"
    assert site.settings.logo() is None


def test_the_recording_is_changed_by_the_keeper(box):
    keeper, browser, _site = box
    form = {"networks": "192.168.7.9/16\n2001:db8::/48", "interfaces": "eth1, eth2", "access_points": ""}
    assert browser.post("/settings/box", form).status == 303
    (ask,) = [ask for _actor, ask in keeper.asked if isinstance(ask, m.ChangeBox)]
    assert ask == m.ChangeBox(("192.168.0.0/16", "2001:db8::/48"), ("eth1", "eth2"), ())
    for wrong in (
        {"networks": "x"},
        {"networks": "0.0.0.0/0"},
        {"networks": "2000::/3"},
        {"interfaces": "a/b"},
        {"access_points": "lobby"},
    ):
        assert browser.post("/settings/box", {**form, **wrong}).status == 400


class Silent(MadeKeeper):
    """A keeper that notes nothing any more."""

    def ask(self, actor, ask):
        if isinstance(ask, m.NoteStep):
            raise ControlError("the disk is full")
        return super().ask(actor, ask)


def test_without_a_line_in_the_journal_nothing_changes(tmp_path):
    site = made_site(tmp_path, Silent("good", CLOCK()), CLOCK)
    browser = signed_in(site)
    assert browser.post("/settings/places", {"place": ["vlan 1"], "name": ["Bar"]}).status == 503
    assert browser.post("/settings/contacts", {"controller": "x"}).status == 503
    assert browser.upload("/settings/branding", {"name": "x"}, {"logo": ("a.png", picture())}).status == 503
    assert browser.get("/connected").status == 503
    assert browser.get("/about/notice.pdf").status == 503
    assert site.settings.values() == type(site.settings.values())()
    assert site.settings.logo() is None
    site.accounts.close()


def test_a_broken_file_stops_no_page_and_is_not_overwritten(box):
    _keeper, browser, site = box
    file = site.state / "settings.toml"
    file.write_text("not toml")
    assert browser.get("/sources").status == 200
    assert "settings.toml" in browser.get("/settings").text
    assert browser.post("/settings/contacts", {"controller": "x"}).status == 503
    assert file.read_text() == "not toml"


def test_each_change_says_in_the_journal_what_it_was_of(box):
    keeper, browser, _site = box
    browser.post("/settings/places", {"place": ["vlan 1"], "name": ["Bar"]})
    browser.post("/settings/contacts", {"controller": "x"})
    notes = [ask for _actor, ask in keeper.asked if isinstance(ask, m.NoteStep)]
    assert [(note.step, note.subject) for note in notes if note.step == Step.CHANGE_SETTINGS] == [
        (Step.CHANGE_SETTINGS, "places"),
        (Step.CHANGE_SETTINGS, "contacts"),
    ]


def test_custodians_are_named_and_stand_under_about(box):
    keeper, browser, _site = box
    recipient = keeper.ask(m.Actor("", "", ""), m.AskBox()).custodians[0]
    form = {"recipient": [recipient, "age1other"], "name": ["Maître Blanc, 03 20 00 00 01", " "]}
    assert browser.post("/settings/custodians", form).status == 303
    about = browser.get("/about").text
    assert "<strong>Maître Blanc, 03 20 00 00 01</strong>" in about
    assert "age1other" not in about
    long = {"recipient": [recipient], "name": ["x" * 301]}
    assert browser.post("/settings/custodians", long).status == 400
    assert "Maître Blanc" in browser.get("/settings").text


def test_letters_that_the_documents_cannot_print_are_refused_at_their_field(box):
    _keeper, browser, site = box
    assert browser.post("/settings/contacts", {"controller": "Hôtel « Œuf » – Łódź"}).status == 303
    answer = browser.post("/settings/contacts", {"controller": "Hôtel 日本 日 ﷺ"})
    assert answer.status == 400
    assert "日本ﷺ" in answer.text.partition('id="w-controller"')[2].partition("</p>")[0]
    assert site.settings.values().contacts.controller == "Hôtel « Œuf » – Łódź"


def test_what_is_refused_has_no_line_and_what_failed_has_a_second_one(box):
    keeper, browser, site = box
    assert browser.post("/settings/places", {"place": ["x" * 99], "name": ["Bar"]}).status == 400
    assert not [ask for _actor, ask in keeper.asked if isinstance(ask, m.NoteStep)]
    site.settings.keep_logo = broken
    assert browser.upload("/settings/branding", {"name": "x"}, {"logo": ("a.png", picture())}).status == 503
    notes = [ask.details for _actor, ask in keeper.asked if isinstance(ask, m.NoteStep)]
    assert [note["ended"] for note in notes] == ["begun", "failed"]
    assert (notes[1]["error"], "line" in notes[1]) == ("StorageError", True)


def broken(_content):
    raise StorageError("the disk is full")
