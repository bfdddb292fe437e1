"""Every question has who answers it, every change is written down before it is made, no defect tells more."""

import threading
import time
import typing
from pathlib import Path

import pytest

from appliance.control import messages
from appliance.control.messages import (
    Ask,
    AskAudit,
    AskBox,
    AskOverview,
    Audit,
    AuditLine,
    Box,
    ChangeBox,
    DeclareSource,
    Done,
    EnrolCentral,
    ForgetSource,
    Question,
    Refused,
    SetUp,
)
from appliance.control.steps import Ended, Step
from appliance.control.words import Level, Trouble
from appliance.services.keeping import answering
from appliance.services.keeping.at_hand import AtHand
from tests.services.keeping.asking import ME, Asked, set_up
from tests.vault.made_homes import make_box

QUESTIONS = typing.get_args(Ask)
CHANGING = (
    messages.ChangeBox, messages.DeclareSource, messages.ForgetSource, messages.PlaceHold, messages.EndHold,
    messages.ConfirmBasis, messages.SetLapse, messages.EnrolCentral,
)  # fmt: skip


def noted(asked: Asked) -> list[AuditLine]:
    answer = asked.ask(AskAudit())
    assert isinstance(answer, Audit)
    assert answer.fault == ""
    return list(reversed(answer.lines))


def chain_of(asked: Asked) -> Path:
    return asked.at.path / "audit" / "chain.jsonl"


def test_every_question_is_answered_by_one_and_a_change_only_as_a_change() -> None:
    answered = set(answering.HANDLERS) | set(answering.CHANGES) | {SetUp}
    assert answered == set(QUESTIONS)
    assert set(answering.CHANGES) == set(CHANGING)
    assert not set(answering.HANDLERS) & set(answering.CHANGES)


def test_a_home_is_made_by_the_page_and_only_once(tmp_path: Path) -> None:
    asked = Asked(tmp_path / "home")
    assert asked.ask(AskOverview()).findings[0].trouble is Trouble.NOT_SET_UP
    assert not asked.ask(AskBox()).set_up
    keys = make_box(tmp_path / "keys").config.custodians
    assert isinstance(asked.ask(SetUp("Hôtel", ("10.1.2.3/8",), keys, 2, ("mirror0",))), Done)
    found = asked.ask(AskBox())
    assert isinstance(found, Box)
    assert (found.site, found.networks, found.interfaces) == ("Hôtel", ("10.0.0.0/8",), ("mirror0",))
    assert (found.custodians, found.quorum) == (keys, 2)
    again = asked.ask(SetUp("Autre", ("10.0.0.0/8",), keys, 2))
    assert isinstance(again, Refused)
    assert asked.ask(AskBox()).site == "Hôtel"
    (line,) = noted(asked)
    assert (line.actor, line.step, line.outcome) == (ME, Step.SET_UP, Ended.DONE)


def test_of_many_who_make_a_home_at_once_one_does(tmp_path: Path) -> None:
    asked = Asked(tmp_path / "home")
    keys = make_box(tmp_path / "keys").config.custodians
    answers: list[object] = []

    def make(number: int) -> None:
        answers.append(asked.ask(SetUp(f"Hôtel {number}", ("10.0.0.0/8",), keys, 2)))

    makers = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert sum(isinstance(answer, Done) for answer in answers) == 1
    assert len(noted(asked)) == 1
    assert asked.complaints == []


@pytest.mark.parametrize(
    "ask",
    [
        SetUp("", ("10.0.0.0/8",), ("age1x",), 1),
        SetUp("Hôtel", (), ("age1x",), 1),
        SetUp("Hôtel", ("10.0.0.0/8",), ("AGE-SECRET-KEY-1XX",), 1),
        SetUp("Hôtel", ("10.0.0.0/8",), (), 0),
        SetUp("Hôtel", ("nowhere",), ("age1x",), 1),
    ],
)
def test_what_cannot_be_meant_makes_no_home(tmp_path: Path, ask: SetUp) -> None:
    asked = Asked(tmp_path / "home")
    answer = asked.ask(ask)
    assert isinstance(answer, Refused)
    assert answer.kind == "UsageError"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("networks", [("0.0.0.0/0",), ("2000::/3",), ("10.0.0.0/8",) * 50_000])
def test_nobody_has_such_networks(tmp_path: Path, networks: tuple[str, ...]) -> None:
    keys = make_box(tmp_path / "keys").config.custodians
    asked = Asked(tmp_path / "home")
    answer = asked.ask(SetUp("Hôtel", networks, keys, 2))
    assert isinstance(answer, Refused)
    assert answer.said.startswith("client_networks: ")
    assert not (tmp_path / "home").exists()
    assert isinstance(asked.ask(SetUp("Hôtel", ("10.0.0.0/8", "fc00::/7", "2001:db8::/32"), keys, 2)), Done)


def test_a_change_is_a_line_and_one_that_fails_is_two(tmp_path: Path) -> None:
    asked = set_up(tmp_path)
    lobby = DeclareSource("lobby", ("10.0.0.7",), kinds=("radius",), secret="s3cr3t-of-radius")
    assert isinstance(asked.ask(lobby), Done)
    assert isinstance(asked.ask(lobby), Refused)
    assert isinstance(asked.ask(ForgetSource("lobby")), Done)
    assert isinstance(asked.ask(ForgetSource("lobby")), Refused)
    told = [(line.step, line.subject, line.outcome) for line in noted(asked)[1:]]
    assert told == [
        (Step.DECLARE_SOURCE, "lobby", Ended.DONE),
        (Step.FORGET_SOURCE, "lobby", Ended.DONE),
        (Step.FORGET_SOURCE, "lobby", Ended.FAILED),
        (Step.FORGET_SOURCE, "lobby", Ended.FAILED),
    ]
    assert b"s3cr3t" not in chain_of(asked).read_bytes()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (ChangeBox(networks=tuple(f"10.{i >> 8}.{i & 255}.0/24" for i in range(50_000))), "at most 1,000"),
        (ChangeBox(networks=("10.0.0.0/8", "0.0.0.0/0")), "0.0.0.0/0 is no network of one site"),
        (ChangeBox(networks=("nowhere",)), "'nowhere' is not a network"),
        (ChangeBox(interfaces=("lo",) * 100_000), "at most 64"),
        (ChangeBox(access_points=("02:00:00:00:00:01",) * 40_000), "at most 4,000"),
        (DeclareSource("many", tuple(f"10.1.{i >> 8}.{i & 255}" for i in range(60_000))), "at most 1,000"),
        (DeclareSource("many", ("10.0.0.7",), access_points=(("", "x"),) * 40_000), "at most 4,000"),
        (DeclareSource("everybody", ("0.0.0.0/0",)), "is everybody"),
        (DeclareSource("new", ("10.0.0.7",), replace=True), "no source is called 'new'"),
        (EnrolCentral("https://192.0.2.1", "x" * 100_000, "y"), "is not an enrolment code"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once_and_is_no_line(tmp_path: Path, ask: Ask, said: str) -> None:
    asked = set_up(tmp_path)
    before = asked.at.home().config.read_bytes()
    began = time.process_time()
    answer = asked.ask(ask)
    assert time.process_time() - began < 1
    assert isinstance(answer, Refused)
    assert answer.kind == "UsageError"
    assert said in answer.said
    assert len(answer.said) < 300
    assert [line.step for line in noted(asked)] == [Step.SET_UP]
    assert asked.at.home().config.read_bytes() == before
    assert not (asked.at.path / "sources.toml").exists()


def test_what_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    asked = set_up(tmp_path)
    path = chain_of(asked)
    path.unlink()
    path.mkdir()  # as a disk that refuses every write there
    before = asked.at.home().config.read_bytes()
    assert isinstance(asked.ask(ChangeBox(interfaces=("mirror9",))), Refused)
    assert asked.at.home().config.read_bytes() == before
    assert isinstance(asked.ask(DeclareSource("lobby", ("10.0.0.7",))), Refused)
    assert not (asked.at.path / "sources.toml").exists()


def test_of_a_defect_the_page_is_told_that_it_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(at: AtHand, actor: object, ask: Question) -> None:
        raise ValueError("jeanne looked for 192.0.2.99")

    monkeypatch.setitem(answering.HANDLERS, AskBox, fall)
    asked = set_up(tmp_path)
    answer = asked.ask(AskBox())
    assert isinstance(answer, Refused)
    assert answer.kind == "Defect"
    (complaint,) = asked.complaints
    assert "ValueError in test_answering.py line" in complaint
    assert "192.0.2.99" not in answer.said + complaint


@pytest.mark.parametrize(
    "name", ["box.toml", "chain.jsonl", "sources.toml", "legal.toml", "audit/chain.jsonl"]
)
def test_what_cannot_be_read_is_told_as_that(tmp_path: Path, name: str) -> None:
    asked = set_up(tmp_path)
    path = asked.at.path / name
    path.write_text("what = is this\n")
    path.chmod(0o600)
    overview = asked.ask(AskOverview())
    assert overview.set_up
    assert overview.level is Level.FAILING
    chains = {"chain.jsonl": Trouble.CHAIN_BROKEN, "audit/chain.jsonl": Trouble.AUDIT_BROKEN}
    told = chains.get(name, Trouble.SETTINGS_BROKEN)
    assert told in {finding.trouble for finding in overview.findings}
    assert any(name in finding.said for finding in overview.findings)
    assert asked.complaints == []
