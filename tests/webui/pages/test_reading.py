"""The pages that are only read, and the central's door: journal, connected, replication, about."""

import io
import re
import tarfile
import urllib.parse

import msgspec
import pytest

from appliance.control import messages as m
from appliance.control.steps import Step
from tests.webui.made_answers import BOXES, made_keeper
from tests.webui.visiting import Clock, made_site, signed_in, visitor

CLOCK = Clock()
PAGES = (
    "/sources", "/sources/source?label=bornes", "/sources/declare", "/sources/change?label=bornes",
    "/sources/coverage?source=interface:eth1", "/sources/guide?device=openwrt", "/connected", "/retention",
    "/retention/certificates", "/retention/certificate?seq=9000", "/replication", "/replication/enrol",
    "/journal", "/journal/paper", "/settings", "/about", "/about/notice", "/about/register",
    "/about/licence?name=bottle",
)  # fmt: skip


@pytest.fixture
def box(request, tmp_path):
    keeper = made_keeper(getattr(request, "param", "good"), CLOCK())
    site = made_site(tmp_path, keeper, CLOCK)
    yield keeper, signed_in(site), site
    site.accounts.close()


def told(keeper, kind):
    return [ask for _actor, ask in keeper.asked if isinstance(ask, kind)]


@pytest.mark.parametrize("box", BOXES, indirect=True)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_is_shown_whatever_the_box_says(box, language):
    keeper, browser, _site = box
    browser.language = language
    for page in PAGES:
        answer = browser.get(page)
        is_missing = "label=bornes" in page and keeper.box in ("empty", "hostile")
        assert answer.status == (404 if is_missing else 200), page
        assert f'<html lang="{language}">' in answer.text
        assert "<img src=x" not in answer.text
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text


def test_the_journal_is_turned_page_by_page_to_its_end(box):
    _keeper, browser, _site = box
    url, numbers = "/journal", []
    for _ in range(20):
        text = browser.get(url).text
        numbers += [int(piece.split("<")[0]) for piece in text.split("<small>n° ")[1:]]
        if "/journal?before=" not in text:
            break
        start = text.index("/journal?before=")
        url = text[start : text.index('"', start)]
    assert numbers == list(range(412, 0, -1))


def test_looking_is_noted_once_an_hour(box):
    keeper, browser, site = box
    for _ in range(3):
        browser.get("/journal")
        browser.get("/connected")
    notes = [note.step for note in told(keeper, m.NoteStep)]
    assert notes == [Step.SEE_JOURNAL, Step.SEE_DEVICES]
    for _ in range(6):  # a session that nobody uses for long would end
        site.clock.go(600)
        assert browser.get("/about").status == 200
    browser.get("/connected")
    assert [note.step for note in told(keeper, m.NoteStep)][2:] == [Step.SEE_DEVICES]


def test_devices_are_found_by_maker_and_by_access_point(box):
    keeper, browser, _site = box
    present = keeper.ask(m.Actor("", "", ""), m.AskPresent())
    some = next(device for device in present.devices if device.vendor)
    same = [device for device in present.devices if device.vendor == some.vendor]
    text = browser.get(f"/connected?search={some.vendor.split()[0].upper()}").text
    assert text.count('<th scope="row"><code>') == len(same)
    text = browser.get(f"/connected?point={some.access_point}").text
    there = [device for device in present.devices if device.access_point == some.access_point]
    assert text.count('<th scope="row"><code>') == len(there)
    assert "No device fits" in browser.get("/connected?search=zzz").text


def test_a_central_is_asked_compared_and_only_then_enrolled(box):
    keeper, browser, _site = box
    url = "https://central.example:8443"
    shown = browser.post("/replication/central", {"url": url})
    assert shown.status == 200
    identity = keeper.ask(m.Actor("", "", ""), m.AskCentral(url))
    pieces = re.findall(r"<code>([^<]+)</code> ", shown.text)
    assert "".join(pieces) == identity.fingerprint.replace(":", "")
    form = {"url": url, "fingerprint": identity.fingerprint, "code": "ABCD-1234"}
    assert browser.post("/replication/enrol", form).status == 400
    assert not told(keeper, m.EnrolCentral)
    assert browser.post("/replication/enrol", {**form, "same": "yes", "code": ""}).status == 400
    assert browser.post("/replication/enrol", {**form, "same": "yes"}).status == 303
    assert told(keeper, m.EnrolCentral) == [m.EnrolCentral(url, "ABCD-1234", identity.fingerprint)]


@pytest.mark.parametrize("box", ["failing"], indirect=True)
def test_what_is_wrong_with_a_central_is_told_in_the_language_of_the_page(box):
    _keeper, browser, _site = box
    browser.language = "fr"
    text = browser.get("/replication").text
    assert "Rien n’a été copié vers Central Sud depuis plus d’une heure" in text
    assert "Vérifiez la connexion internet" in text


@pytest.mark.parametrize("url", ["", "http://central.example", "file:///etc/passwd", "https://", "x" * 400])
def test_only_https_is_asked(box, url):
    keeper, browser, _site = box
    assert browser.post("/replication/central", {"url": url}).status == 400
    assert not told(keeper, m.AskCentral)


def test_documents_are_saved_in_the_language_that_is_asked_for(box):
    _keeper, browser, _site = box
    french = browser.get("/about/register.pdf?in=fr")
    assert french.header("Content-Type") == "application/pdf"
    assert "register-fr.pdf" in french.header("Content-Disposition")
    assert '<article class="card document" lang="fr">' in browser.get("/about/notice?in=fr").text
    assert '<html lang="en">' in browser.get("/about/notice?in=fr").text


def test_the_source_is_to_be_had(box):
    answer = box[1].get("/about/source.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        assert "greffier/webui/app.py" in archive.getnames()


def test_the_certificate_is_for_strangers_too_where_there_is_one(box):
    _keeper, _browser, site = box
    stranger = visitor(site)
    assert stranger.get("/ca.pem").status == 404
    (site.state / "tls").mkdir()
    (site.state / "tls" / "ca.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    assert stranger.get("/ca.pem").body == b"-----BEGIN CERTIFICATE-----\n"


def test_a_long_list_is_turned_page_by_page_and_keeps_its_filter(tmp_path):
    class Crowded(type(made_keeper("good", 0))):
        def ask(self, actor, ask):
            answer = super().ask(actor, ask)
            if not isinstance(ask, m.AskPresent):
                return answer
            many = [f"02:00:00:00:{number // 256:02x}:{number % 256:02x}" for number in range(450)]
            devices = tuple(msgspec.structs.replace(answer.devices[0], mac=mac) for mac in many)
            return msgspec.structs.replace(answer, devices=devices)

    site = made_site(tmp_path, Crowded("good", CLOCK()), CLOCK)
    browser, url, seen = signed_in(site), "/connected?search=02", []
    while url:
        text = browser.get(url).text
        seen += re.findall(r'<th scope="row"><code>([^<]+)<', text)
        link = re.search(r'href="(/connected[^"]+)" rel="next"', text)
        url = link[1].replace("&amp;", "&") if link else ""
        assert not url or "search=02" in url
    assert len(seen) == len(set(seen)) == 450
    for odd in ("0", "-1", "99999", "x", "１"):
        assert browser.get(f"/connected?page={urllib.parse.quote(odd)}").status == 200
    site.accounts.close()
