"""Who may speak to the box, who does, and who is kept apart; and changing who may."""

import socket

import psutil

from appliance.config.listen import PORTS
from appliance.control.messages import (
    Actor,
    AskSources,
    Declared,
    DeclareSource,
    Done,
    ForgetSource,
    Point,
    Sources,
    Stranger,
)
from appliance.control.steps import Step
from appliance.model.errors import UsageError
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.source_names import FEED
from appliance.runtime import recorder_state
from appliance.services.feeds import declaring, hearing
from appliance.services.feeds.hearing import Heard
from appliance.services.keeping.at_hand import AtHand, Change, Changes, Handlers
from appliance.services.keeping.sources_now import interfaces_now
from appliance.services.keeping.standing import settings
from appliance.vault import liveness
from appliance.vault.names import Home

STRANGERS_LIMIT = 1000
"""Who floods the box from forged addresses shall not make the page unreadable; the latest are shown."""


def _sources(at: AtHand, _: Actor, __: AskSources) -> Sources:
    home = at.home()
    config = settings(at)
    found = hearing.hearing(home, at.clock())
    lost = _lost(home)
    strangers = sorted(found.strangers, key=lambda one: one.last, reverse=True)[:STRANGERS_LIMIT]
    return Sources(
        found.listening,
        tuple(_declared(heard, lost.get(heard.declared.label, {})) for heard in found.heard),
        tuple(_stranger(one) for one in strangers),
        interfaces_now(home, config),
        found.tls_fingerprint,
        {name.removesuffix("_ports"): ports[0] for name in PORTS if (ports := getattr(config.listen, name))},
        own_addresses(),
    )


def own_addresses() -> tuple[str, ...]:
    """The addresses of this machine that others can send to."""
    found = [
        one.address
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        if one.family in (socket.AF_INET, socket.AF_INET6)
        and not one.address.startswith(("127.", "::1", "fe80:"))
    ]
    return tuple(dict.fromkeys(found))


def _lost(home: Home) -> dict[str, dict[str, int]]:
    """What was lost by label, of the run that listens now."""
    return {
        source.name.removeprefix(FEED): {word: count for word, count in source.lost.items() if count}
        for state in recorder_state.read_all(home.state)
        if liveness.is_live(home, state.run)
        for source in state.sources
        if source.name.startswith(FEED)
    }


def _declared(heard: Heard, lost: dict[str, int]) -> Declared:
    source = heard.declared
    points = [
        Point(one.name, one.mac, True, one.pulse.last, one.pulse.silent, one.pulse.usual_pause_s)
        for one in heard.access_points
    ]
    points += [Point("", mac, False, None, False, None) for mac in heard.undeclared_access_points]
    return Declared(
        source.label,
        source.network,
        source.addresses,
        source.mac,
        tuple(map(str, source.kinds)),
        source.time_zone,
        source.grammar,
        bool(source.secret),
        source.certificate,
        heard.messages,
        dict(heard.by_kind),
        heard.pulse.last,
        heard.pulse.silent,
        heard.pulse.usual_pause_s,
        lost,
        tuple(points),
    )


def _stranger(one: hearing.Stranger) -> Stranger:
    return Stranger(one.address, one.mac, one.kind, one.looks, one.messages, one.kept, one.first, one.last)


def _declare(at: AtHand, _: Actor, ask: DeclareSource) -> Done:
    source = _source(ask)
    declaring.declare(at.home(), source, ask.replace)
    return Done(f"'{source.label}' may speak; this counts within a second or two")


def _check(at: AtHand, _: Actor, ask: DeclareSource) -> None:
    declaring.check(at.home(), _source(ask), ask.replace)


def _source(ask: DeclareSource) -> DeclaredSource:
    try:
        kinds = tuple(FeedKind(kind) for kind in ask.kinds)
    except ValueError:
        raise UsageError(f"kinds: those there are: {', '.join(FeedKind)}") from None
    named = any(name for name, _ in ask.access_points)
    return DeclaredSource(
        ask.label.strip(),
        ask.network.strip(),
        ask.addresses,
        ask.mac,
        tuple(mac for _, mac in ask.access_points),
        kinds,
        ask.time_zone,
        ask.grammar,
        ask.secret or "",
        ask.certificate,
        tuple(name for name, _ in ask.access_points) if named else (),
    )


def _forget(at: AtHand, _: Actor, ask: ForgetSource) -> Done:
    declaring.forget(at.home(), ask.label)
    return Done(f"'{ask.label}' may speak no more; its records stay")


def _declaration(ask: DeclareSource) -> dict[str, str]:
    """What the audit line says: everything but the secret."""
    told = {
        "network": ask.network,
        "addresses": ", ".join(ask.addresses),
        "mac": ask.mac,
        "kinds": ", ".join(ask.kinds),
        "access_points": ", ".join(f"{name}={mac}" if name else mac for name, mac in ask.access_points),
        "grammar": ask.grammar,
        "secret": "given" if ask.secret else "",
        "certificate": ask.certificate,
        "replaces": "yes" if ask.replace else "",
    }
    return {name: value for name, value in told.items() if value}


HANDLERS: Handlers = {AskSources: _sources}
CHANGES: Changes = {
    DeclareSource: Change(_declare, Step.DECLARE_SOURCE, lambda ask: str(ask.label), _declaration, _check),
    ForgetSource: Change(_forget, Step.FORGET_SOURCE, lambda ask: str(ask.label)),
}
