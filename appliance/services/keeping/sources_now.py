"""How each source stands now: what recorders say of it, and what is wanted and nobody records."""

from collections.abc import Mapping

from appliance.capture.interface import link_of, name_of
from appliance.config.box import BoxConfig
from appliance.control.messages import SourceNow
from appliance.model.instants import to_iso
from appliance.model.source_names import FEED, INTERFACE, of_interface
from appliance.runtime import recorder_state
from appliance.runtime.recorder_state import SourceState
from appliance.services.feeds.hearing import Heard, Hearing
from appliance.vault import liveness
from appliance.vault.names import Home


def interfaces_now(home: Home, config: BoxConfig) -> tuple[SourceNow, ...]:
    """Every interface that is recorded now, or stands in the settings."""
    live = [
        source
        for state in recorder_state.read_all(home.state)
        if liveness.is_live(home, state.run)
        for source in state.sources
        if source.name.startswith(INTERFACE)
    ]
    return tuple([_recorded(source) for source in live] + _wanted(config, {source.name for source in live}))


def feeds_now(hearing: Hearing, records: Mapping[str, SourceState]) -> tuple[SourceNow, ...]:
    """Every declared source; `records` are what the run that listens says of it, by label."""
    return tuple(_heard(one, hearing.listening, records.get(one.declared.label)) for one in hearing.heard)


def listened(home: Home) -> dict[str, SourceState]:
    """What the run that listens says of declared sources, by label."""
    return {
        source.name.removeprefix(FEED): source
        for state in recorder_state.read_all(home.state)
        if liveness.is_live(home, state.run)
        for source in state.sources
        if source.name.startswith(FEED)
    }


def _recorded(source: SourceState) -> SourceNow:
    stands = source.interface
    last_ns = source.last_record_ns
    return SourceNow(
        source.name,
        "interface",
        source.name.removeprefix(INTERFACE),
        "",
        True,
        None if last_ns is None else to_iso(last_ns),
        source.packets,
        source.records,
        sum(source.lost.values()),
        False,
        None,
        stands.link if stands else None,
        stands.speed_mbps if stands else None,
    )


def _wanted(config: BoxConfig, recorded: set[str]) -> list[SourceNow]:
    wanted = [
        name
        for name in config.capture.interfaces
        if not {of_interface(name), of_interface(name_of(name))} & recorded
    ]
    return [
        SourceNow(
            of_interface(name), "interface", name, "", False, None, 0, 0, 0, False, None, link_of(name).value
        )
        for name in wanted
    ]


def _heard(one: Heard, listening: bool, records: SourceState | None) -> SourceNow:
    declared = one.declared
    return SourceNow(
        FEED + declared.label,
        "feed",
        declared.label,
        declared.network,
        listening,
        one.pulse.last,
        one.messages,
        records.records if records else 0,
        sum(records.lost.values()) if records else 0,
        one.pulse.silent,
        one.pulse.usual_pause_s,
    )
