"""Third screen: the site, its clients' networks, the mirror interface and the proof that traffic arrives."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from appliance.config.values import (
    canonical_network,
    is_private,
    too_wide,
    wrong_interfaces,
    wrong_networks,
)
from appliance.control.messages import AskInterfaces, Interface, Interfaces
from webui.pages.setup.course import address, change, check_letters, head, on, refused, tell
from webui.pages.setup.draft import Draft, Place, Screen, Sketch, current
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route, Shown


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


LISTEN_S = 3.0
"""A mirror of a site in use brings thousands of frames meanwhile; of a quiet one, still a few."""


def _show(asked: Asked, draft: Draft) -> Reply:
    heard = asked.query.get("listen") == "yes"
    found = tell(asked, draft, AskInterfaces(LISTEN_S if heard else 0.0), Interfaces)
    sketch = draft.sketch or Sketch("", "\n".join(_networks(found.interfaces)), _proposed(found))
    return Shown(
        "setup_site.html", {**head(asked, Screen.SITE), "sketch": sketch, **_values(found, sketch, heard)}
    )


def _listen(asked: Asked, draft: Draft) -> Reply:
    """The list of interfaces alone, for the script of the page: what arrives at each, heard now."""
    found = tell(asked, draft, AskInterfaces(LISTEN_S), Interfaces)
    sketch = draft.sketch or Sketch("", "", _proposed(found))
    return Shown("setup_interfaces.html", _values(found, sketch, heard=True))


def _told(asked: Asked, draft: Draft) -> Reply:
    sketch = Sketch(
        " ".join(asked.form.get("site", "").split()),
        asked.form.get("networks", ""),
        asked.fields.get("interface", ()),
    )
    change(asked, lambda told: replace(told, sketch=sketch))
    if asked.form.get("do") == "listen":
        return Moved(f"{address(Screen.SITE)}?listen=yes")
    place = _checked(asked, sketch)
    told = change(asked, lambda told: replace(told, place=place))
    return Moved(address(current(told)))


def _checked(asked: Asked, sketch: Sketch) -> Place:
    if not sketch.site or not sketch.site.isprintable() or len(sketch.site) > 120:
        raise refused(asked, _("Give the site a name, as it stands on documents."), "site")
    check_letters(asked, sketch.site, "site")
    networks = tuple(sketch.networks.replace(",", " ").split())
    if not networks:
        raise refused(asked, _("Name at least one network: else nobody knows who is a client."), "networks")
    for network in networks:
        if wrong_networks((network,)):
            raise refused(
                asked,
                _("“%(network)s” is not a network. Write it like 192.168.0.0/16 or 2001:db8::/48."),
                "networks",
                network=network[:60],
            )
    if too_wide(networks):
        sentence = _("That is more than the networks of one site: strangers would count as your clients.")
        raise refused(asked, sentence, "networks")
    public = _public(networks)
    if public and asked.form.get("public") != "yes":
        raise refused(
            asked,
            _("“%(network)s” belongs to the Internet, usually not to your Wi-Fi. Correct it, or confirm it."),
            "public",
            network=public[0],
        )
    wrong = wrong_interfaces(sketch.interfaces)
    if wrong:
        raise Refusal(wrong, field="interface")
    canonical = dict.fromkeys(canonical_network(network) for network in networks)
    return Place(sketch.site, tuple(canonical), sketch.interfaces)


def _values(found: Interfaces, sketch: Sketch, heard: bool) -> dict[str, Any]:
    return {
        "interfaces": found.interfaces,
        "proposed": found.proposed,
        "chosen": sketch.interfaces,
        "heard": heard,
        "seen_networks": _networks(found.interfaces),
        "public": ", ".join(_public(sketch.networks.replace(",", " ").split())),
    }


def _public(networks: Iterable[str]) -> list[str]:
    """Those that somebody on the Internet has: who takes them for clients' records the wrong side."""
    return [network for network in networks if not wrong_networks((network,)) and not is_private(network)]


def _networks(interfaces: tuple[Interface, ...]) -> list[str]:
    """Where addresses were seen, each once."""
    return list(dict.fromkeys(network for one in interfaces for network in one.networks))


def _proposed(found: Interfaces) -> tuple[str, ...]:
    return (found.proposed,) if found.proposed else ()


ROUTES = (
    Route("GET", "/setup/site", Right.SET_UP, on(Screen.SITE, _show)),
    Route("GET", "/setup/site/interfaces", Right.SET_UP, on(Screen.SITE, _listen)),
    Route("POST", "/setup/site", Right.SET_UP, on(Screen.SITE, _told)),
)
