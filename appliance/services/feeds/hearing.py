"""Who speaks to a box and who may: out of declarations, what was learned, and the process that listens."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.config import sources
from appliance.model.feeds import DeclaredSource
from appliance.model.source_names import FEED
from appliance.runtime import recorder_state
from appliance.services.feeds import noticeboard
from appliance.services.feeds.rhythms import Rhythms
from appliance.services.recording.alarms import Alarms
from appliance.vault import liveness
from appliance.vault.names import Home


@dataclass(frozen=True)
class Pulse:
    """How a source or an access point stands; `last` is ISO 8601, None where it never spoke.

    `usual_pause_s` is the longest pause that is usual at this time of the day, None until it is learned.
    """

    last: str | None
    silent: bool
    usual_pause_s: float | None


@dataclass(frozen=True)
class AccessPoint:
    """A declared access point, by its name (or a hash) and MAC."""

    name: str
    mac: str
    pulse: Pulse


@dataclass(frozen=True)
class Heard:
    """A declared source. `messages` came since listening began, by kind where a process listens now."""

    declared: DeclaredSource
    messages: int
    by_kind: Mapping[str, int]
    pulse: Pulse
    access_points: Sequence[AccessPoint]
    undeclared_access_points: Sequence[str]


@dataclass(frozen=True)
class Stranger:
    """A sender that nobody declared; instants are ISO 8601."""

    address: str
    mac: str
    kind: str
    looks: str
    messages: int
    bytes: int
    kept: int
    first: str
    last: str


@dataclass(frozen=True)
class Hearing:
    """The whole answer; strangers are known only to a process that listens."""

    listening: bool
    heard: Sequence[Heard]
    strangers: Sequence[Stranger]
    tls_fingerprint: str


def hearing(home: Home, now_ns: int) -> Hearing:
    """Raises HomeError."""
    from appliance.listeners import certificate  # 40 ms

    declared = sources.read(home.path / sources.NAME)
    board = noticeboard.read(home.state)
    shown = board or {}
    pulses = shown.get("rhythms") or Rhythms(home.state, Alarms()).shown(now_ns, declared)
    arrived, counts = shown.get("arrived", {}), _counts(home)
    return Hearing(
        board is not None,
        [
            _heard(one, counts.get(one.label, 0), arrived.get(one.label, {}), pulses.get(one.label, {}))
            for one in declared
        ],
        strangers(board),
        shown.get("tls_fingerprint") or certificate.fingerprint(home.path / "listen"),
    )


def strangers(board: Mapping[str, Any] | None) -> Sequence[Stranger]:
    """Who is quarantined, as the process that listens shows it; the latest first."""
    names = [field.name for field in dataclasses.fields(Stranger)]
    shown = (board or {}).get("quarantined", ())
    return [Stranger(*(one[name] for name in names)) for one in shown if all(name in one for name in names)]


def _counts(home: Home) -> dict[str, int]:
    """Messages by label, of the run that listens, or else that listened last."""
    counts: dict[str, int] = {}
    states = recorder_state.read_all(home.state)
    for state in sorted(states, key=lambda state: liveness.is_live(home, state.run)):
        for source in state.sources:
            if source.name.startswith(FEED):
                counts[source.name.removeprefix(FEED)] = source.packets
    return counts


def last_heard(home: Home) -> dict[str, int]:
    """When each source was last heard, by label, as the recorders' last words have it: of dead ones, too."""
    heard: dict[str, int] = {}
    for state in recorder_state.read_all(home.state):
        for source in state.sources:
            if source.name.startswith(FEED) and source.last_record_ns is not None:
                label = source.name.removeprefix(FEED)
                heard[label] = max(source.last_record_ns, heard.get(label, 0))
    return heard


def _heard(source: DeclaredSource, count: int, arrived: Mapping[str, Any], pulse: Mapping[str, Any]) -> Heard:
    by_kind = arrived.get("messages", {})
    return Heard(
        source,
        max(count, sum(by_kind.values())),
        by_kind,
        _pulse({**pulse, "last": max((pulse.get("last") or "", arrived.get("last", ""))) or None}),
        [AccessPoint(one["name"], one["mac"], _pulse(one)) for one in pulse.get("access_points", ())],
        pulse.get("undeclared_access_points", ()),
    )


def _pulse(fields: Mapping[str, Any]) -> Pulse:
    return Pulse(fields.get("last"), bool(fields.get("silent")), fields.get("usual_pause_s"))
