"""Law on the page: how the site stands, holds, bases, certificates."""

import html
import json
import urllib.parse

import msgspec
import pytest

from appliance.control import messages as m
from appliance.control.steps import Step
from appliance.control.words import Lapse
from appliance.retention.legal.shipped import france
from tests.webui.made_answers import made_keeper
from tests.webui.visiting import Clock, made_site, signed_in
from webui.pages.retention import standing
from webui.rights import Role

CLOCK = Clock()


@pytest.fixture
def box(request, tmp_path):
    keeper = made_keeper(getattr(request, "param", "good"), CLOCK())
    site = made_site(tmp_path, keeper, CLOCK)
    yield keeper, signed_in(site), site
    site.accounts.close()


def told(keeper, kind):
    return [ask for _actor, ask in keeper.asked if isinstance(ask, kind)]


HOLD = {
    "reference": "PV 2026/12",
    "vaults": ["traffic", "source"],
    "first_day": "2026-11-01",
    "last_day": "2026-11-03",
    "until": "2027-11-30",
}


def test_a_hold_is_placed_and_ended(box):
    keeper, browser, _site = box
    assert browser.post("/retention/hold", HOLD).status == 303
    assert browser.post("/retention/end-hold", {"reference": "PV 2026/12"}).status == 303
    assert told(keeper, m.PlaceHold) == [
        m.PlaceHold("PV 2026/12", ("traffic", "source"), "2026-11-01", "2026-11-03", "2027-11-30")
    ]
    assert told(keeper, m.EndHold) == [m.EndHold("PV 2026/12")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reference", ""),
        ("vaults", []),
        ("first_day", "1.11.2026"),
        ("last_day", "2026-10-01"),
        ("until", ""),
    ],
)
def test_a_hold_that_cannot_be_meant_is_refused_with_what_was_typed(box, field, value):
    keeper, browser, _site = box
    answer = browser.post("/retention/hold", {**HOLD, field: value})
    assert answer.status == 400
    assert not told(keeper, m.PlaceHold)
    assert "2027-11-30" in answer.text or field == "until"
    assert '<details open>\n<summary role="button"' in answer.text


def test_a_basis_is_confirmed_by_its_text(box):
    keeper, browser, _site = box
    form = {
        "basis": "traffic-injunction",
        "text": "Décret 2026-1011",
        "basis_first": "2026-10-21",
        "basis_last": "2027-10-20",
    }
    assert browser.post("/retention/basis", form).status == 303
    assert told(keeper, m.ConfirmBasis) == [
        m.ConfirmBasis("traffic-injunction", "Décret 2026-1011", "2026-10-21", "2027-10-20")
    ]
    assert browser.post("/retention/basis", {**form, "text": " "}).status == 400
    assert browser.post("/retention/basis", {**form, "basis_last": "2026-10-20"}).status == 400
    assert len(told(keeper, m.ConfirmBasis)) == 1


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        ("2026-10-21", "2026-10-20", "Le dernier jour"),
        ("2026-10-21", "2028-10-20", "366"),
        ("2024-10-21", "2025-10-20", "passée"),
    ],
)
def test_a_period_that_cannot_be_meant_is_told_in_words_at_its_field(box, first, last, sentence):
    keeper, browser, _site = box
    form = {"basis": "traffic-injunction", "text": "Décret", "basis_first": first, "basis_last": last}
    browser.language = "fr"
    answer = browser.post("/retention/basis", form)
    assert answer.status == 400
    assert sentence in answer.text.partition('id="w-basis_last-traffic-injunction"')[2].partition("</p>")[0]
    assert not told(keeper, m.ConfirmBasis)


@pytest.mark.parametrize(("field", "value"), [("until", "2026-01-01"), ("reference", "PV 2026/1182")])
def test_a_hold_that_is_over_or_known_is_told_at_its_field(box, field, value):
    keeper, browser, _site = box
    answer = browser.post("/retention/hold", {**HOLD, field: value})
    assert answer.status == 400
    assert f'id="w-{field}"' in answer.text
    assert not told(keeper, m.PlaceHold)


def test_what_holds_for_every_basis_is_said_once(box):
    _keeper, browser, _site = box
    for language in ("fr", "en"):
        browser.language = language
        shown = html.unescape(browser.get("/retention").text)
        for part, text in france().general[language].items():
            assert shown.count(text) == 1, part


def test_what_happens_at_a_lapse_is_set(box):
    keeper, browser, _site = box
    assert browser.post("/retention/lapse", {"vault": "traffic", "lapse": "stop"}).status == 303
    assert browser.post("/retention/lapse", {"vault": "traffic", "lapse": "perhaps"}).status == 400
    assert told(keeper, m.SetLapse) == [m.SetLapse("traffic", Lapse.STOP)]


@pytest.mark.parametrize(
    ("states", "level"),
    [
        (("in-force", "unlimited"), "well"),
        (("in-force", "lapsing"), "attention"),
        (("lapsed", "unlimited"), "attention"),
        (("lapsing", "lapsed"), "attention"),
    ],
)
def test_the_site_stands_as_its_worst_basis_does(states, level):
    keeper = made_keeper("good", CLOCK())
    retention = keeper.ask(m.Actor("", "", ""), m.AskRetention())
    bases = tuple(
        msgspec.structs.replace(basis, state=state)
        for basis, state in zip(retention.bases, states, strict=True)
    )
    assert standing(msgspec.structs.replace(retention, bases=bases)) == level


def test_a_basis_that_has_lapsed_fails_where_nothing_is_recorded_any_more():
    keeper = made_keeper("failing", CLOCK())
    retention = keeper.ask(m.Actor("", "", ""), m.AskRetention())
    assert standing(msgspec.structs.replace(retention, lapse={"traffic": Lapse.STOP})) == "failing"


def test_a_basis_of_what_the_box_does_not_keep_worries_nobody():
    keeper = made_keeper("good", CLOCK())
    retention = keeper.ask(m.Actor("", "", ""), m.AskRetention())
    foreign = msgspec.structs.replace(retention.bases[0], vaults=("biometry",), state="lapsed")
    assert standing(msgspec.structs.replace(retention, bases=(*retention.bases, foreign))) == "well"


def test_a_certificate_is_shown_saved_and_noted_once(box):
    keeper, browser, _site = box
    for _ in range(3):
        shown = browser.get("/retention/certificate?seq=9000")
        assert shown.status == 200
    saved = browser.get("/retention/certificate.json?seq=9000")
    line = keeper.ask(m.Actor("", "", ""), m.AskCertificate(9000))
    assert saved.body.decode() == line.raw
    assert json.loads(saved.body)["seq"] == 9000
    assert [ask.subject for ask in told(keeper, m.NoteStep) if ask.step == Step.PRINT_DOCUMENT] == [
        "certificate 9000"
    ]


@pytest.mark.parametrize("seq", ["", "x", "-1", "1" * 16, "１", "9000 or 1"])
def test_a_certificate_that_cannot_be_is_not_asked_for(box, seq):
    keeper, browser, _site = box
    assert browser.get(f"/retention/certificate?seq={urllib.parse.quote(seq)}").status == 404
    assert not told(keeper, m.AskCertificate)


def test_a_line_that_is_no_certificate_certifies_nothing(tmp_path):
    class Other(type(made_keeper("good", 0))):
        def ask(self, actor, ask):
            if isinstance(ask, m.AskCertificate):
                return m.Line(ask.seq, '{"kind":"seal","day":"2026-11-01","vault":"traffic"}', "box")
            return super().ask(actor, ask)

    site = made_site(tmp_path, Other("good", CLOCK()), CLOCK)
    assert signed_in(site).get("/retention/certificate?seq=3").status == 404
    site.accounts.close()


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.SITE_MANAGER, Role.CUSTODIAN])
def test_who_may_only_look_is_offered_no_form(box, role):
    _keeper, _browser, site = box
    text = signed_in(site, role).get("/retention").text
    for action in ("/retention/hold", "/retention/end-hold", "/retention/basis", "/retention/lapse"):
        assert f'action="{action}"' not in text


@pytest.mark.parametrize("box", ["failing"], indirect=True)
def test_a_basis_that_has_ended_opens_its_form(box):
    text = box[1].get("/retention").text
    assert "A legal basis has ended" in text
    assert "<details open>" in text
