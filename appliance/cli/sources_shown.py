"""Sources as tables for a person, and as one JSON object."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from appliance.cli.wording import several

if TYPE_CHECKING:
    from rich.table import Table

    from appliance.services.feeds.hearing import AccessPoint, Heard, Hearing, Pulse, Stranger

_NEVER = "nothing yet"


def shown(hearing: "Hearing", as_json: bool) -> str:
    """The whole list."""
    return json.dumps(_as_json(hearing)) if as_json else _as_text(hearing)


def done(as_json: bool, what: str, label: str, kept: int) -> str:
    """What a change came to."""
    if as_json:
        return json.dumps({what: label, "kept_messages": kept})
    told = f"'{label}' is {what}; a 'greffier listen' that runs knows it within two seconds."
    return f"{told} {several(kept, 'message')} that were kept of it will be recorded." if kept else told


def _as_json(hearing: "Hearing") -> dict[str, Any]:
    return {
        "listening": hearing.listening,
        "sources": [_source_as_json(one) for one in hearing.heard],
        "quarantined": [dataclasses.asdict(one) for one in hearing.strangers],
        "tls_fingerprint": hearing.tls_fingerprint or None,
    }


def _source_as_json(heard: "Heard") -> dict[str, Any]:
    fields = dataclasses.asdict(heard.declared)
    has_secret = bool(fields.pop("secret"))
    for name in ("ap_macs", "ap_labels"):
        del fields[name]
    return {
        **fields,
        "has_secret": has_secret,
        "messages": heard.messages,
        "messages_by_kind": dict(heard.by_kind),
        **dataclasses.asdict(heard.pulse),
        "access_points": [
            {"name": _name(point), "mac": point.mac, **dataclasses.asdict(point.pulse)}
            for point in heard.access_points
        ],
        "undeclared_access_points": list(heard.undeclared_access_points),
    }


def _as_text(hearing: "Hearing") -> str:
    from rich.console import Console

    console = Console(width=None if _is_terminal() else 160, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        if hearing.heard:
            console.print("May speak:")
            console.print(_declared(hearing.heard))
        else:
            console.print("Nobody may speak yet: declare a source, see 'greffier sources --help'.")
        if any(heard.access_points for heard in hearing.heard):
            console.print("Access points they speak for:")
            console.print(_access_points(hearing.heard))
        for heard in hearing.heard:
            if heard.undeclared_access_points:
                macs = ", ".join(heard.undeclared_access_points[:20])
                console.print(f"'{heard.declared.label}' also speaks for {macs}: declare them with --ap-mac.")
        if hearing.strangers:
            console.print("Kept apart in memory and not recorded, until you accept them or listening ends:")
            console.print(_strangers(hearing.strangers))
        elif hearing.listening:
            console.print("Nobody is kept apart.")
        if not hearing.listening:
            console.print("Nobody listens: start 'greffier listen'.")
        if hearing.tls_fingerprint:
            pairs = ":".join(_pairs(hearing.tls_fingerprint.upper()))
            console.print(f"SHA-256 of the certificate that devices see over TLS:\n  {pairs}")
    return captured.get().rstrip()


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty()


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(0, len(text), 2)]


def _declared(heard: "Sequence[Heard]") -> "Table":
    table = _table("source", "network", "known by", "messages", "last", "usual pause", "now")
    for one in heard:
        source = one.declared
        known = ", ".join(
            [text.removesuffix("/32").removesuffix("/128") for text in source.addresses]
            + [source.mac] * bool(source.mac)
            + ["certificate"] * bool(source.certificate)
        )
        table.add_row(source.label, source.network, known, _messages(one), *_pulse(one.pulse))
    return table


def _messages(heard: "Heard") -> str:
    allowed = ", ".join(heard.declared.kinds) or "all kinds"
    by_kind: Mapping[str, int] = heard.by_kind
    if not by_kind:
        return f"{heard.messages:,} (may send {allowed})"
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(by_kind.items()))


def _access_points(heard: "Sequence[Heard]") -> "Table":
    table = _table("access point", "MAC", "network", "told by", "last", "usual pause", "now")
    for one in heard:
        for point in one.access_points:
            source = one.declared
            table.add_row(_name(point), point.mac, source.network, source.label, *_pulse(point.pulse))
    return table


def _name(point: "AccessPoint") -> str:
    """One that nobody named has a hash in its place, which says nothing beside its MAC."""
    return "" if point.name.startswith("#") else point.name


def _pulse(pulse: "Pulse") -> tuple[str, str, str]:
    from appliance.services.feeds.rhythm_words import duration

    last = _short(pulse.last) if pulse.last else _NEVER
    usual = "not known yet" if pulse.usual_pause_s is None else f"up to {duration(pulse.usual_pause_s)}"
    return last, usual, "SILENT" if pulse.silent else ("speaks" if pulse.last else "never heard")


def _strangers(strangers: "Sequence[Stranger]") -> "Table":
    table = _table("address", "MAC", "sends", "looks like", "messages", "kept", "first", "last")
    for one in strangers:
        counts = (f"{one.messages:,}", f"{one.kept:,}")
        table.add_row(one.address, one.mac, one.kind, one.looks, *counts, _short(one.first), _short(one.last))
    return table


def _short(instant: str) -> str:
    return f"{instant[:19].replace('T', ' ')}Z"


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right" if column == "kept" else "left")
    return table
