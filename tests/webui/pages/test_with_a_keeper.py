"""The pages with a real keeper behind a real socket: what is clicked is in the box, and in its journal."""

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.config import sources as declared
from appliance.control.client import Client
from appliance.control.messages import Actor, Answer, Ask, Request
from appliance.retention.destruction import destroy
from appliance.runtime.clock import now_ns
from appliance.services.keeping.answering import Answering
from appliance.services.keeping.at_hand import AtHand
from appliance.services.keeping.serving import serve
from appliance.vault import chain
from appliance.vault.catalogue import Catalogue
from appliance.vault.names import Home, VaultName
from tests.retention.test_destruction import TERM_OVER_NS, box_with_two_days
from tests.vault.made_homes import DAY
from tests.webui.visiting import Visitor, made_site, signed_in
from webui.rights import Role

PAGES = (
    "/sources", "/sources/declare", "/sources/guide?device=openwrt", "/connected", "/retention",
    "/replication", "/retention/certificates", "/journal", "/journal/paper", "/settings", "/about",
    "/about/notice", "/about/register", f"/sources/coverage?source=interface:eth1&day={DAY}",
)  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[Home, Visitor]]:
    """A home with records, its keeper, and a browser signed in at its page."""
    home = box_with_two_days(tmp_path / "box").home
    control, state = tmp_path / "run" / "control.sock", tmp_path / "web"
    state.mkdir()
    until, ready = threading.Event(), threading.Event()
    keeper = threading.Thread(target=serve, args=(home.path, control, [os.getuid()], until, ready.set))
    keeper.start()
    assert ready.wait(20)
    site = made_site(state, Client(control), now_ns)
    try:
        yield home, signed_in(site, Role.OPERATOR, "claire")
    finally:
        site.accounts.close()
        until.set()
        keeper.join()


def test_every_page_is_shown(kept: tuple[Home, Visitor]) -> None:
    _home, browser = kept
    for page in PAGES:
        assert browser.get(page).status == 200, page


def test_what_is_clicked_is_in_the_box_and_in_its_journal(
    kept: tuple[Home, Visitor], capsys: pytest.CaptureFixture[str]
) -> None:
    home, browser = kept
    form = {
        "label": "Borne du hall", "network": "clients", "addresses": "10.0.0.77", "kinds": ["syslog"],
        "access_points": "00:1a:2b:3c:4d:5e Hall", "time_zone": "Europe/Paris",
    }  # fmt: skip
    assert browser.post("/sources/declare", form).status == 303
    (source,) = declared.read(home.path / declared.NAME)
    assert (source.label, source.addresses, source.ap_labels) == (
        "Borne du hall",
        ("10.0.0.77/32",),
        ("Hall",),
    )
    refused = browser.post("/sources/declare", {**form, "label": "Autre"})
    assert refused.status == 400
    assert "overlap" in refused.text

    order = {
        "reference": "PV 2026/12", "vaults": ["traffic"], "first_day": str(DAY), "last_day": str(DAY),
        "until": "2028-01-31",
    }  # fmt: skip
    assert browser.post("/retention/hold", order).status == 303
    (hold,) = Catalogue.of(chain.read(home)).holding(VaultName.TRAFFIC, DAY)
    assert (hold.reference, hold.until.isoformat()) == ("PV 2026/12", "2028-01-31")
    assert "PV 2026/12" in browser.get("/retention").text

    text = {"basis": "traffic-injunction", "text": "Décret 2026-1", "basis_first": "2026-10-21"}
    assert browser.post("/retention/basis", {**text, "basis_last": "2027-10-20"}).status == 303
    assert "Décret 2026-1" in browser.get("/retention").text
    assert browser.post("/retention/lapse", {"vault": "traffic", "lapse": "stop"}).status == 303

    journal = browser.get("/journal").text
    for told in (
        "Source declared",
        "Hold placed",
        "Legal basis confirmed",
        "PV 2026/12",
        "Borne du hall",
        "claire",
    ):
        assert told in journal
    capsys.readouterr()
    assert main(["verify", "--home", str(home.path)]) == 0


def test_what_was_destroyed_is_certified_by_the_line_that_says_so(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path / "box")
    (certificate,) = destroy(box.home, box.config, box.clock, TERM_OVER_NS).destroyed
    state = tmp_path / "web"
    state.mkdir()
    answering = Answering(AtHand(box.home.path, box.clock))

    class InProcess:
        def ask(self, actor: Actor, ask: Ask) -> Answer:
            return answering(Request(actor, ask))

    site = made_site(state, InProcess(), now_ns)
    browser = signed_in(site)
    link = re.search(r"/retention/certificate\?seq=(\d+)", browser.get("/retention").text)
    assert link
    shown = browser.get(link[0]).text
    assert f"<dd>{len(certificate.key_ids)}</dd>" in shown
    saved = json.loads(browser.get(f"/retention/certificate.json?seq={link[1]}").body)
    assert (saved["kind"], saved["day"], saved["vault"]) == ("destroyed", str(DAY), "traffic")
    line = (box.home.chain.read_bytes().splitlines())[int(link[1])]
    assert json.loads(line) == saved
    site.accounts.close()
