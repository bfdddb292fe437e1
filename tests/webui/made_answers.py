"""Keepers whose answers are made: a good box, one in trouble, one in its first minutes, and a hostile one.
For looking at pages; whether a real keeper answers so is tested elsewhere.

`made_keeper("good", now_ns)` stands where a Client does. Each question is kept in `.asked`.
"""

from collections.abc import Callable
from typing import Any

from appliance.control import messages as m
from appliance.control.words import Check, Outcome
from tests.webui import made_law, made_numbers, made_overview, made_sources
from tests.webui.made_time import Times

BOXES = ("good", "failing", "empty", "hostile")

HOSTILE = "<img src=x onerror=alert(1)>\"'`{{7*7}}%s%(x)s"
"""A text that is out of place in HTML, in a template and in a catalogue."""

Answering = Callable[[Times, str], m.Answer]


class MadeKeeper:
    """Answers as a box of this kind would; changes are Done and only remembered."""

    def __init__(self, box: str, now_ns: int) -> None:
        assert box in BOXES
        self.box = box
        self.times = Times(now_ns)
        self.asked: list[Any] = []

    def ask(self, actor: m.Actor, ask: Any) -> m.Answer:
        """As Client.ask."""
        self.asked.append((actor, ask))
        answering = ANSWERS.get(type(ask))
        answer = answering(self.times, self.box, ask) if answering else m.Done()
        return made_hostile(answer) if self.box == "hostile" else answer


def made_keeper(box: str, now_ns: int) -> MadeKeeper:
    """A keeper of `BOXES`."""
    return MadeKeeper(box, now_ns)


def _box(times: Times, box: str, ask: Any) -> m.Box:
    return m.Box(
        set_up=True,
        site="Hôtel du Port",
        fingerprint="SHA256:4f2c8a9be17d6035c1aa92b07f5e3d48",
        head="9b1d2c" * 10,
        version="0.1.0",
        networks=("10.20.0.0/16", "2001:db8:20::/48"),
        interfaces=() if box == "empty" else ("eth1",),
        access_points=("00:1b:2f:aa:00:01", "00:1b:2f:aa:00:02"),
        custodians=("age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq",) * 2,
        quorum=2,
        term_years={"source": 1, "traffic": 1, "identity": 5},
    )


def _interfaces(times: Times, box: str, ask: m.AskInterfaces) -> m.Interfaces:
    heard = ask.listen_s > 0
    return m.Interfaces(
        (
            m.Interface(
                "eth0", True, 1000, ("192.0.2.10/24",), True, *((12.0, 0.0) if heard else (None, None)), ()
            ),
            m.Interface(
                "eth1", True, 1000, (), False, *((830.0, 830.0) if heard else (None, None)), ("10.20.0.0/16",)
            ),
            m.Interface("eth2", False, None, (), False, None, None, ()),
        ),
        "eth1" if heard and box != "failing" else None,
    )


def _tests(times: Times, box: str, ask: Any) -> m.Tests:
    failed = {Check.TRAFFIC, Check.CLOCK} if box == "failing" else set()
    later = {Check.CENTRALS, Check.RECORDING} if box == "empty" else set()
    return m.Tests(
        tuple(
            m.Tested(check, Outcome.FAILED, "the clock is not disciplined; see 'timedatectl'")
            if check in failed
            else m.Tested(check, Outcome.LATER if check in later else Outcome.PASSED)
            for check in Check
        )
    )


ANSWERS: dict[type, Callable[[Times, str, Any], m.Answer]] = {
    m.AskOverview: made_overview.overview,
    m.AskLive: made_overview.live,
    m.AskReplication: made_overview.replication,
    m.AskActivity: made_numbers.activity,
    m.AskPresent: made_numbers.present,
    m.AskSources: made_sources.sources,
    m.AskCoverage: made_sources.coverage,
    m.AskRetention: made_law.retention,
    m.AskCertificate: made_law.certificate,
    m.AskAudit: made_law.audit,
    m.AskBox: _box,
    m.AskInterfaces: _interfaces,
    m.AskCentral: lambda times, box, ask: m.CentralIdentity("Central Nord", "SHA256:77aa" * 6),
    m.AskTests: _tests,
}


_CLOSED = frozenset(
    {
        "kind",
        "link",
        "vault",
        "state",
        "key",
        "box",
        "outcome",
        "hash",
        "head",
        "raw",
        "vaults",
        "type",
        "step",
    }
)
"""Fields whose words the keeper chooses out of a closed set, or that are digests."""


def made_hostile(answer: Any) -> Any:
    """The same with every free text replaced by `HOSTILE`: names, labels, MACs, sentences of others."""
    import msgspec

    if isinstance(answer, msgspec.Struct):
        changed = {
            name: value if name in _CLOSED else made_hostile(value)
            for name, value in msgspec.structs.asdict(answer).items()
        }
        return type(answer)(**changed)
    if isinstance(answer, tuple):
        return tuple(made_hostile(value) for value in answer)
    if isinstance(answer, dict):
        return {key: made_hostile(value) for key, value in answer.items()}
    if type(answer) is str and answer and not _is_time(answer):
        return HOSTILE
    return answer


def _is_time(text: str) -> bool:
    return len(text) >= 10 and text[4] == text[7] == "-" and text[:4].isdigit()
