"""Sources on the page: what is shown of them, and that a form says to the keeper just what was typed."""

import datetime as dt
import urllib.parse

import pytest

from appliance.config.listen import TCP_PORTS, UDP_PORTS
from appliance.control import messages as m
from tests.webui.made_answers import made_keeper
from tests.webui.visiting import Clock, made_site, signed_in
from webui.rights import Role
from webui.vocabulary import PORTS

CLOCK = Clock()


@pytest.fixture
def box(request, tmp_path):
    """A keeper of a kind ('failing' unless said), and a browser signed in as its operator."""
    keeper = made_keeper(getattr(request, "param", "failing"), CLOCK())
    site = made_site(tmp_path, keeper, CLOCK)
    yield keeper, signed_in(site), site
    site.accounts.close()


def told(keeper, kind):
    return [ask for _actor, ask in keeper.asked if isinstance(ask, kind)]


FORM = {
    "label": "Bornes du hall",
    "network": "clients",
    "addresses": "10.0.0.77\n10.0.1.9/28, fe80::1",
    "kinds": ["syslog", "radius"],
    "access_points": "00-1A-2B-3C-4D-5E  Terrasse nord\n\n001a.2b3c.4d5f\n",
    "time_zone": "Europe/Paris",
    "secret": "sésame-ouvre-toi",
    "mac": "",
    "certificate": "",
    "grammar": "",
}


def test_what_is_typed_is_what_the_keeper_is_asked(box):
    keeper, browser, _site = box
    answer = browser.post("/sources/declare", FORM)
    assert answer.status == 303
    assert answer.header("Location").endswith(
        "/sources/source?" + urllib.parse.urlencode({"label": "Bornes du hall"})
    )
    assert told(keeper, m.DeclareSource) == [
        m.DeclareSource(
            label="Bornes du hall",
            network="clients",
            addresses=("10.0.0.77/32", "10.0.1.0/28", "fe80::1/128"),
            kinds=("syslog", "radius"),
            access_points=(("Terrasse nord", "00:1a:2b:3c:4d:5e"), ("", "00:1a:2b:3c:4d:5f")),
            secret="sésame-ouvre-toi",
        )
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("label", ""),
        ("label", "x" * 61),
        ("addresses", "no address"),
        ("addresses", "0.0.0.0/0"),
        ("addresses", ""),
        ("mac", "nonsense"),
        ("access_points", "Terrasse 00:1a:2b:3c:4d:5e"),
        ("kinds", ["telegraphy"]),
        ("certificate", "abc"),
    ],
)
def test_what_cannot_be_meant_is_said_at_its_field_and_nothing_else_is_lost(box, field, value):
    keeper, browser, _site = box
    answer = browser.post("/sources/declare", {**FORM, field: value})
    assert answer.status == 400
    assert not told(keeper, m.DeclareSource)
    assert field == "kinds" or f'aria-describedby="w-{field}' in answer.text
    assert field == "network" or "clients" in answer.text
    assert "sésame" not in answer.text


def test_a_source_keeps_its_secret_and_its_name_when_it_is_changed(box):
    keeper, browser, _site = box
    shown = browser.get("/sources/change?label=bornes")
    assert shown.status == 200
    assert "00:1b:2f:aa:00:01 Terrasse" in shown.text
    answer = browser.post("/sources/change?label=bornes", {**FORM, "label": "another", "secret": ""})
    assert answer.status == 303
    (ask,) = told(keeper, m.DeclareSource)
    assert (ask.label, ask.secret, ask.replace) == ("bornes", None, True)


def test_a_sender_that_waits_is_accepted_in_two_steps(box):
    _keeper, browser, _site = box
    page = browser.get("/sources").text
    assert "/sources/declare?address=10.0.0.77&amp;mac=b4%3Afb%3Ae4%3A10%3A20%3A30&amp;kind=syslog" in page
    form = browser.get("/sources/declare?address=10.0.0.77&kind=syslog").text
    assert ">10.0.0.77</textarea>" in form


def test_a_source_is_let_go_of(box):
    keeper, browser, _site = box
    assert browser.post("/sources/forget", {"label": "bornes"}).status == 303
    assert told(keeper, m.ForgetSource) == [m.ForgetSource("bornes")]


def test_who_may_only_look_is_offered_nothing_else(box):
    _keeper, _browser, site = box
    auditor = signed_in(site, Role.AUDITOR)
    for page in ("/sources", "/sources/source?label=bornes"):
        text = auditor.get(page).text
        assert "/sources/declare" not in text
        assert "/sources/forget" not in text
        assert "/sources/change" not in text
    assert auditor.get("/sources/declare").status == 403


@pytest.mark.parametrize(
    "url",
    [
        "/sources/source?label=nobody",
        "/sources/guide?device=x",
        "/sources/coverage?source=eth1&day=x",
        "/sources/coverage",
    ],
)
def test_what_is_not_there_is_said_to_be_so(box, url):
    assert box[1].get(url).status == 404


def test_a_gap_leads_to_its_day(box):
    _keeper, browser, _site = box
    page = browser.get("/sources").text
    start = page.index("/sources/coverage?source=")
    link = page[start : page.index('"', start)].replace("&amp;", "&")
    shown = browser.get(link)
    assert shown.status == 200
    assert "Not heard" in shown.text


def test_a_guide_names_the_address_of_this_box(box):
    text = box[1].get("/sources/guide?device=mikrotik").text
    assert "remote=192.0.2.10 " in text
    assert "{box}" not in text


@pytest.mark.parametrize("box", ["empty"], indirect=True)
def test_a_box_without_sources_says_what_to_do(box):
    text = box[1].get("/sources").text
    assert "No access point or gateway is declared yet" in text
    assert text.count("/sources/guide?device=") > 5


def test_ports_are_told_in_words(box):
    _keeper, browser, _site = box
    shown = browser.get("/sources").text
    assert "syslog, encrypted (TLS) <code>6514</code>" in shown
    assert "syslog_tls" not in shown
    assert set(PORTS) == {name.removesuffix("_ports") for name in UDP_PORTS + TCP_PORTS}


def test_no_gap_is_claimed_of_the_time_before_the_first_record(box):
    _keeper, browser, site = box
    first = dt.datetime.fromtimestamp(CLOCK() / 1e9, dt.UTC) - dt.timedelta(hours=2)
    seen = m.Seen(first.isoformat(), first.isoformat(), 10, 2, {}, {}, {})
    coverage = m.CoverageOf((m.SourceCoverage("interface:eth1", (seen,), ()),))

    class Begun(type(site.keeper)):
        def ask(self, actor, ask):
            return coverage if isinstance(ask, m.AskCoverage) else super().ask(actor, ask)

    site.keeper.__class__ = Begun
    shown = browser.get("/sources?days=7").text
    assert "No gap since the recording began" in shown
    assert "No gap in this time" not in shown
    assert "nothing was recorded</li>" in shown
