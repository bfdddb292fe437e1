"""What the keeper says of the law and the term, and what it changes of them: always with a line of audit."""

import datetime as dt
import json
from pathlib import Path
from typing import TypeVar

import pytest

from appliance.audit import check
from appliance.control import messages as m
from appliance.control.words import Lapse, Level, Trouble
from appliance.model.instants import from_iso
from appliance.retention.destruction import destroy
from appliance.retention.policy import destroyed_on
from appliance.services.keeping import law
from appliance.services.keeping.answering import Answering
from appliance.services.keeping.at_hand import AtHand
from appliance.vault import chain
from tests.retention.test_destruction import NEXT, TERM_OVER_NS, box_with_two_days
from tests.vault.made_homes import DAY, Box

CLAIRE = m.Actor("claire", "manager", "192.168.1.20")
A = TypeVar("A")


class Keeper:
    """A home with two days of traffic, and who answers for it."""

    def __init__(self, folder: Path, now: str) -> None:
        self.box: Box = box_with_two_days(folder)
        self.box.clock.now_ns = from_iso(now)
        self.at = AtHand(self.box.home.path, self.box.clock)
        self.answering = Answering(self.at)

    def ask(self, ask: m.Ask, kind: type[A]) -> A:
        answer = self.answering(m.Request(CLAIRE, ask))
        assert isinstance(answer, kind), answer
        return answer

    def steps(self) -> list[tuple[str, str]]:
        return [(str(step.step), str(step.ended)) for step in check.check(self.box.home).steps]


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path, "2026-11-22T10:00:00Z")


def basis(keeper: Keeper, key: str = "traffic-injunction") -> m.Basis:
    return next(one for one in keeper.ask(m.AskRetention(), m.Retention).bases if one.key == key)


def test_a_box_of_today_says_that_the_injunction_has_lapsed_and_asks_for_the_renewal(keeper: Keeper) -> None:
    found = keeper.ask(m.AskRetention(), m.Retention)
    assert found.calendar_dated == "2026-11-22"
    assert found.lapse == {"traffic": Lapse.ALERT, "source": Lapse.ALERT}
    injunction = basis(keeper)
    assert (injunction.state, injunction.last_day, injunction.days_left) == ("lapsed", "2026-10-20", -33)
    assert (injunction.must_confirm, injunction.confirmed_by) == (True, None)
    assert "2025-980" in injunction.texts["fr"]
    [told] = law.findings(keeper.at)
    assert (told.trouble, told.subject, told.count) == (Trouble.BASIS_LAPSED, "traffic-injunction", 33)
    assert told.since == "2026-10-20T22:00:00.000000000Z"


def test_the_operator_confirms_and_the_book_says_who(keeper: Keeper) -> None:
    confirm = m.ConfirmBasis("traffic-injunction", "décret 2026-1", "2026-10-21", "2027-10-20")
    keeper.ask(confirm, m.Done)
    found = basis(keeper)
    assert (found.state, found.last_day, found.confirmed_by, found.confirmed_text) == (
        "in-force", "2027-10-20", "claire", "décret 2026-1",
    )  # fmt: skip
    assert law.findings(keeper.at) == ()
    [step] = check.check(keeper.box.home).steps
    assert (step.actor, step.step, step.subject) == (CLAIRE, "confirm-basis", "traffic-injunction")
    assert step.details == {"text": "décret 2026-1", "first_day": "2026-10-21", "last_day": "2027-10-20"}
    keeper.box.clock.now_ns = from_iso("2027-09-20T10:00:00Z")
    [told] = law.findings(keeper.at)
    assert (told.trouble, told.count) == (Trouble.BASIS_LAPSES, 30)


@pytest.mark.parametrize(
    "ask",
    [
        m.ConfirmBasis("traffic-injunction", "", "2026-10-21", "2027-10-20"),
        m.ConfirmBasis("traffic-injunction", "t", "yesterday", "2027-10-20"),
        m.ConfirmBasis("nonsense", "t", "2026-10-21", "2027-10-20"),
        m.ConfirmBasis("traffic-injunction", "t", "2026-10-21", "2028-10-20"),
        m.SetLapse("identity", Lapse.STOP),
        m.PlaceHold("order", ("nonsense",), "2026-03-14", "2026-03-14", "2027-01-01"),
        m.PlaceHold("order", (), "2026-03-14", "2026-03-14", "2027-01-01"),
        m.PlaceHold("order", ("traffic",), "2026-03-14", "2026-03-14", "2026-03-15"),
        m.PlaceHold("a\nb", ("traffic",), "2026-03-14", "2026-03-14", "2027-01-01"),
        m.PlaceHold("order", ("traffic",), "2026-03-14T00", "2026-03-14", "2027-01-01"),
        m.EndHold("never placed"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_is_no_step_of_the_book(keeper: Keeper, ask: m.Ask) -> None:
    before = keeper.box.home.chain.read_bytes()
    assert keeper.ask(ask, m.Refused).kind == "UsageError"
    assert keeper.box.home.chain.read_bytes() == before
    assert not (keeper.box.home.path / "legal.toml").exists()
    assert keeper.steps() == []


def test_a_vault_that_stops_is_told(keeper: Keeper) -> None:
    keeper.ask(m.SetLapse("traffic", Lapse.STOP), m.Done)
    assert keeper.ask(m.AskRetention(), m.Retention).lapse["traffic"] is Lapse.STOP
    [told] = law.findings(keeper.at)  # and not that the box goes on in spite of the lapse
    assert (told.trouble, told.level, told.subject) == (Trouble.VAULT_STOPPED, Level.FAILING, "traffic")
    assert told.since == "2026-11-22T10:00:00.000000000Z"
    keeper.ask(m.SetLapse("traffic", Lapse.ALERT), m.Done)
    assert {one.trouble for one in law.findings(keeper.at)} == {Trouble.BASIS_LAPSED}


def test_a_hold_is_placed_listed_and_lifted(keeper: Keeper) -> None:
    day = DAY.isoformat()
    keeper.ask(m.PlaceHold("order 12", ("traffic", "source"), day, day, "2028-06-30"), m.Done)
    [held] = keeper.ask(m.AskRetention(), m.Retention).holds
    assert (held.reference, held.vaults, held.until, held.state) == (
        "order 12", ("traffic", "source"), "2028-06-30", "holding",
    )  # fmt: skip
    assert held.placed == "2026-11-22T10:00:00.000000000Z"
    assert (held.kept, held.gone) == (1, 0)
    assert keeper.ask(m.PlaceHold("order 12", ("traffic",), day, day, "2028-06-30"), m.Refused)
    keeper.ask(m.EndHold("order 12"), m.Done)
    assert keeper.ask(m.AskRetention(), m.Retention).holds[0].state == "lifted"
    assert keeper.steps() == [("place-hold", "begun"), ("end-hold", "begun")]


def test_terms_say_what_is_kept_and_what_goes_next_and_when(keeper: Keeper) -> None:
    traffic, source = keeper.ask(m.AskRetention(), m.Retention).vaults
    assert (traffic.vault, traffic.days, traffic.segments, traffic.term_years) == ("traffic", 2, 2, 1)
    sealed = sum(entry.body.rows for entry in chain.read(keeper.box.home) if hasattr(entry.body, "rows"))
    assert traffic.records == sealed > 0
    assert (traffic.oldest_day, traffic.newest_day) == (DAY.isoformat(), NEXT.isoformat())
    assert (traffic.next_day, traffic.next_on) == (DAY.isoformat(), destroyed_on(DAY, 1).isoformat())
    assert (source.days, source.oldest_day, source.next_on) == (0, None, None)
    until = destroyed_on(DAY, 1) + dt.timedelta(days=30)
    keeper.ask(m.PlaceHold("order", ("traffic",), str(DAY), str(DAY), until.isoformat()), m.Done)
    traffic, _ = keeper.ask(m.AskRetention(), m.Retention).vaults
    assert (traffic.next_day, traffic.next_on) == (NEXT.isoformat(), destroyed_on(NEXT, 1).isoformat())


def test_certificates_are_listed_and_given_as_they_stand_in_the_chain(keeper: Keeper) -> None:
    keeper.box.clock.now_ns = TERM_OVER_NS
    destroy(keeper.box.home, keeper.box.config, keeper.box.clock, TERM_OVER_NS)
    found = keeper.ask(m.AskRetention(), m.Retention)
    [certificate] = found.certificates
    assert (certificate.vault, certificate.day, found.certificate_count) == ("traffic", DAY.isoformat(), 1)
    assert found.vaults[0].days == 1
    line = keeper.ask(m.AskCertificate(certificate.seq), m.Line)
    lines = keeper.box.home.chain.read_text().splitlines()
    assert line.raw == lines[certificate.seq]
    assert json.loads(line.raw)["kind"] == "destroyed"
    assert line.box == json.loads(lines[0])["box"]
    for seq in (0, -1, certificate.seq - 1, 10**9):
        assert keeper.ask(m.AskCertificate(seq), m.Refused).kind == "UsageError"
