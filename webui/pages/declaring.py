"""The form by which a source is let in, or changed."""

from collections.abc import Mapping
from typing import Any

from appliance.config import declarations
from appliance.control.messages import AskSources, Declared, DeclareSource, Done, Sources
from appliance.model.feeds import FeedKind
from webui.pages.sources import found, href
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route, Shown
from webui.vocabulary import KINDS, word
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


_WRONG = {
    "label": _("A name is one line of at most 60 characters."),
    "network": _("A name is one line of at most 60 characters."),
    "addresses": _("An address is written like 192.168.0.7, several like 192.168.0.0/28."),
    "mac": _("A MAC address is written like 00:1a:2b:3c:4d:5e."),
    "ap_macs": _("One access point a line: its MAC address, like 00:1a:2b:3c:4d:5e, then its name."),
    "ap_labels": _("The name of an access point has at most 60 characters."),
    "kinds": _("There is no such kind of message."),
    "certificate": _("A certificate is given by its SHA-256 fingerprint: 64 digits and letters a to f."),
}
"""What is said where the box would refuse a value, by its key there."""

_FIELDS = {"ap_macs": "access_points", "ap_labels": "access_points"}


def show(asked: Asked) -> Reply:
    """An empty form, or one with what a waiting sender is known by."""
    values = {
        "label": "",
        "network": "",
        "addresses": asked.query.get("address", ""),
        "mac": "",
        "kinds": tuple(filter(None, [asked.query.get("kind", "")])),
        "access_points": "",
        "time_zone": "Europe/Paris",
        "grammar": "",
        "certificate": "",
    }
    return _form(asked, values, None)


def show_change(asked: Asked) -> Reply:
    """The form with what is set; `add` names an access point that the source already speaks for."""
    source = found(asked, asked.tell(AskSources(), Sources))
    declared = [f"{point.mac} {point.name}".strip() for point in source.points if point.declared]
    values = {
        "label": source.label,
        "network": source.network,
        "addresses": "\n".join(source.addresses),
        "mac": source.mac,
        "kinds": source.kinds,
        "access_points": "\n".join([*declared, *filter(None, [asked.query.get("add", "")])]),
        "time_zone": source.time_zone,
        "grammar": source.grammar,
        "certificate": source.certificate,
    }
    return _form(asked, values, source)


def declare(asked: Asked) -> Reply:
    """Let a new source speak. Raises Refusal naming the field."""
    ask = _declaration(asked, "")
    asked.tell(ask, Done)
    return Moved(href(ask.label), said(asked.language, "“%(label)s” may speak now.", label=ask.label))


def change(asked: Asked) -> Reply:
    """Change what is set for a source. Raises Refusal naming the field."""
    was = asked.query.get("label", "")
    ask = _declaration(asked, was)
    asked.tell(ask, Done)
    return Moved(href(ask.label), said(asked.language, "“%(label)s” was changed.", label=ask.label))


def _form(asked: Asked, values: Mapping[str, Any], source: Declared | None) -> Shown:
    kinds = [(kind.value, word(asked.language, KINDS, kind)) for kind in FeedKind]
    return Shown("declare.html", {"values": values, "source": source, "kinds": kinds, "href": href})


def _declaration(asked: Asked, was: str) -> DeclareSource:
    form = asked.form
    points = _access_points(form.get("access_points", ""))
    texts = {
        "label": was or form.get("label", ""),
        "network": form.get("network", ""),
        "addresses": form.get("addresses", "").replace(",", " ").split(),
        "mac": form.get("mac", "").strip(),
        "kinds": asked.fields.get("kinds", ()),
        "ap_macs": [mac for _name, mac in points],
        "ap_labels": [name for name, _mac in points],
        "certificate": form.get("certificate", ""),
    }
    right = {key: _canonical(asked, key, value) for key, value in texts.items()}
    if not right["label"]:
        raise Refusal(said(asked.language, "Give the source a name."), "label")
    if not (right["addresses"] or right["mac"] or right["certificate"]):
        raise Refusal(said(asked.language, "Say by which address the source is known."), "addresses")
    return DeclareSource(
        label=right["label"],
        addresses=tuple(right["addresses"]),
        network=right["network"],
        mac=right["mac"],
        kinds=tuple(str(kind) for kind in right["kinds"]),
        access_points=tuple(zip(right["ap_labels"], right["ap_macs"], strict=True)),
        time_zone=form.get("time_zone", "").strip() or "Europe/Paris",
        grammar=form.get("grammar", "").strip(),
        secret=form.get("secret", "") or None,
        certificate=right["certificate"],
        replace=bool(was),
    )


def _canonical(asked: Asked, key: str, value: Any) -> Any:
    try:
        return declarations.CANONICAL[key](value)
    except ValueError:
        raise Refusal(said(asked.language, _WRONG[key]), _FIELDS.get(key, key)) from None


def _access_points(text: str) -> list[tuple[str, str]]:
    """(name, MAC) of each line that holds one."""
    pieces = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(piece[1].strip() if len(piece) > 1 else "", piece[0]) for piece in pieces]


ROUTES: tuple[Route, ...] = (
    Route("GET", "/sources/declare", Right.CHANGE_SOURCES, show, menu="sources"),
    Route("POST", "/sources/declare", Right.CHANGE_SOURCES, declare, menu="sources"),
    Route("GET", "/sources/change", Right.CHANGE_SOURCES, show_change, menu="sources"),
    Route("POST", "/sources/change", Right.CHANGE_SOURCES, change, menu="sources"),
)
