"""What the site calls its places, whom to turn to, how the page looks, and what is recorded."""

import datetime as dt
import hashlib
from collections.abc import Mapping

from appliance.config.values import canonical_network, too_wide, wrong_interfaces, wrong_macs
from appliance.control.messages import (
    Activity,
    AskActivity,
    AskBox,
    AskSources,
    Box,
    ChangeBox,
    Done,
    Sources,
)
from appliance.control.steps import Step
from appliance.control.words import Period
from appliance.model.errors import HomeError, StorageError
from webui import colours, logos, paper
from webui.pages.noting import stepped
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route, Saved, Shown
from webui.settings import Branding, Contacts
from webui.wording import said

_LOOKED_BACK_DAYS = 7
"""Places that had traffic in these days are offered to be named."""


def show(asked: Asked) -> Reply:
    """All forms."""
    values = asked.site.settings.values()
    box = asked.tell(AskBox(), Box)
    return Shown(
        "settings.html",
        {
            "values": values,
            "fault": asked.site.settings.fault(),
            "box": box,
            "known": _known_places(asked, box, values.places),
            "ratio": _ratio(values.branding.colour),
        },
    )


def name_places(asked: Asked) -> Reply:
    """Names of networks and access points; an empty name takes it away."""
    pairs = zip(asked.fields.get("place", ()), asked.fields.get("name", ()), strict=False)
    names = {place.strip(): name.strip() for place, name in pairs if place.strip() and name.strip()}
    return _change(asked, "places", places=names)


def change_group(asked: Asked) -> Reply:
    """Put places together under a name; without places the group is taken away."""
    groups = dict(asked.site.settings.values().groups)
    name, members = asked.form.get("group", "").strip(), asked.fields.get("members", ())
    if not name:
        raise Refusal(said(asked.language, "Give the group a name."), "group")
    groups.pop(name, None)
    if members:
        groups[name] = tuple(members)
    return _change(asked, "groups", groups=groups)


def change_contacts(asked: Asked) -> Reply:
    """Who answers for the Wi-Fi."""
    given = {field: asked.form.get(field, "").strip() for field in Contacts.__struct_fields__}
    for field, text in given.items():
        if strange := paper.unprintable(text):
            sentence = said(
                asked.language, "The documents cannot print these letters: %(letters)s", letters=strange[:20]
            )
            raise Refusal(sentence, field)
    return _change(asked, "contacts", contacts=Contacts(**given))


def name_custodians(asked: Asked) -> Reply:
    """Who holds which key, so that whoever brings a requisition is told whom to call."""
    pairs = zip(asked.fields.get("recipient", ()), asked.fields.get("name", ()), strict=False)
    names = {key.strip(): name.strip() for key, name in pairs if key.strip() and name.strip()}
    return _change(asked, "custodians", custodians=names)


def change_branding(asked: Asked) -> Reply:
    """Name, colour and logo. Raises Refusal naming the field."""
    settings, form = asked.site.settings, asked.form
    logo = settings.values().branding.logo
    upload = asked.files.get("logo")
    picture: bytes | None = None
    if upload and upload.content:
        picture = _picture(asked, upload.content)
        logo = hashlib.sha256(picture).hexdigest()[:12]
    elif form.get("without_logo"):
        picture, logo = b"", ""
    colour = form.get("colour", "").lower() if form.get("own_colour") else ""
    branding = Branding(form.get("name", "").strip() or Branding().name, colour, logo)
    return _change(asked, "branding", picture, branding=branding)


def change_box(asked: Asked) -> Reply:
    """The networks of the clients, the interfaces, the access points that are counted apart."""
    interfaces = tuple(asked.form.get("interfaces", "").replace(",", " ").split())
    points = tuple(asked.form.get("access_points", "").replace(",", " ").split())
    networks = _networks(asked, asked.form.get("networks", "").replace(",", " ").split())
    if wrong := wrong_interfaces(interfaces):
        raise Refusal(said(asked.language, "There is no such interface."), "interfaces", said=wrong)
    if wrong := wrong_macs(points, 3999):
        raise Refusal(
            said(asked.language, "A MAC address is written like 00:1a:2b:3c:4d:5e."),
            "access_points",
            said=wrong,
        )
    asked.tell(ChangeBox(networks, interfaces, points), Done)
    return Moved("/settings", said(asked.language, "Saved. Recording goes on by these settings."))


def stylesheet(asked: Asked) -> Reply:
    """The site's colour, for every page."""
    made = colours.stylesheet(asked.site.settings.values().branding.colour)
    return Saved("branding.css", "text/css; charset=utf-8", made.encode(), inline=True)


def logo(asked: Asked) -> Reply:
    """The site's logo. Raises Refusal where there is none."""
    picture = asked.site.settings.logo() if asked.site.settings.values().branding.has_logo else None
    if picture is None:
        raise Refusal(said(asked.language, "There is no such page."), status=404)
    return Saved("logo.png", "image/png", picture, inline=True)


def _change(asked: Asked, part: str, picture: bytes | None = None, **parts: object) -> Moved:
    """The line in the journal comes first: without it nothing is changed. `picture`: another logo or none."""
    settings = asked.site.settings
    try:
        settings.check(**parts)
    except ValueError as error:
        field = str(error).partition(":")[0]
        raise Refusal(
            said(asked.language, "Write one line, not too long."), field, said=str(error)
        ) from error
    with stepped(asked, Step.CHANGE_SETTINGS, part):
        try:
            if picture:
                settings.keep_logo(picture)
            settings.change(**parts)
            if picture == b"":
                settings.keep_logo(picture)
        except (HomeError, StorageError) as error:
            sentence = said(asked.language, "It could not be saved.")
            raise Refusal(sentence, said=str(error), status=503) from error
    return Moved("/settings", said(asked.language, "Saved."))


def _picture(asked: Asked, content: bytes) -> bytes:
    try:
        return logos.cleaned(content)
    except ValueError:
        sentence = said(asked.language, "A logo is a picture (PNG, JPEG or WebP) of at most 400 kB.")
        raise Refusal(sentence, "logo") from None


def _networks(asked: Asked, texts: list[str]) -> tuple[str, ...]:
    try:
        networks = tuple(dict.fromkeys(map(canonical_network, texts)))
    except ValueError:
        sentence = said(asked.language, "A network is written like 192.168.0.0/16.")
        raise Refusal(sentence, "networks") from None
    if wrong := too_wide(networks):
        sentence = said(
            asked.language,
            "That is more than the networks of one site: strangers would count as your clients.",
        )
        raise Refusal(sentence, "networks", said=wrong)
    return networks


def _ratio(colour: str) -> float | None:
    """The contrast of words on the site's colour; None without one."""
    if not colour:
        return None
    made = colours.shades(colour, False)
    return round(colours.contrast(colours.of(made.ink), colours.of(made.ground)), 1)


def _known_places(asked: Asked, box: Box, names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(place, its name or empty, what a source calls it): all that can be named, the named ones first."""
    told = {
        point.mac: point.name
        for source in asked.tell(AskSources(), Sources).declared
        for point in source.points
        if point.name and not point.name.startswith("#")
    }
    last = dt.datetime.fromtimestamp(asked.site.clock() / 1e9, dt.UTC).date()
    first = last - dt.timedelta(days=_LOOKED_BACK_DAYS)
    activity = asked.tell(AskActivity(Period.DAY, first.isoformat(), last.isoformat()), Activity)
    active = [share.name for share in activity.places if share.name not in ("all", "none")]
    places = dict.fromkeys([*names, *box.access_points, *active, *told])
    return [(place, names.get(place, ""), told.get(place, "")) for place in places]


ROUTES: tuple[Route, ...] = (
    Route("GET", "/settings", Right.CHANGE_SETTINGS, show, menu="settings"),
    Route("POST", "/settings/places", Right.CHANGE_SETTINGS, name_places, "settings", "/settings"),
    Route("POST", "/settings/group", Right.CHANGE_SETTINGS, change_group, "settings", "/settings"),
    Route("POST", "/settings/contacts", Right.CHANGE_SETTINGS, change_contacts, "settings", "/settings"),
    Route("POST", "/settings/custodians", Right.CHANGE_SETTINGS, name_custodians, "settings", "/settings"),
    Route("POST", "/settings/branding", Right.CHANGE_SETTINGS, change_branding, "settings", "/settings"),
    Route("POST", "/settings/box", Right.CHANGE_SETTINGS, change_box, "settings", "/settings"),
    Route("GET", "/branding.css", Right.ANYBODY, stylesheet),
    Route("GET", "/branding/logo", Right.ANYBODY, logo),
)
