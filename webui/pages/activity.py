"""What the network was used for: totals of some days, never anybody's."""

from dataclasses import dataclass
from datetime import date

from appliance.control.messages import Activity, AskActivity
from appliance.control.words import Period
from webui import drawn, formats, whole_spans
from webui.categories import PLACES, USES, called
from webui.pages.days import today
from webui.rights import Right
from webui.routing import Asked, Reply, Route, Shown
from webui.settings import Values
from webui.spans import Days, days_of
from webui.wording import said

_PLACES_SHOWN = 12
_GROUP, _PLACE = "group:", "place:"


@dataclass(frozen=True)
class Choice:
    """What totals can be narrowed to: a group of places, or one."""

    key: str
    word: str


def show(asked: Asked) -> Reply:
    """The totals of some days, of all places or of some."""
    language, settings = asked.language, asked.site.settings.values()
    now = date.fromisoformat(today(asked.site.clock()))
    wanted = days_of(asked.query, now)
    chosen = asked.query.get("where", "")
    places = _places(chosen, settings)
    told = _told(asked, wanted, places)
    activity = whole_spans.of_days(told, wanted.first, wanted.last, asked.site.clock())
    busiest = drawn.busiest(activity)
    return Shown(
        "activity.html",
        {
            "days": days_of(asked.query, now, _known(activity)),
            "activity": activity,
            "where": chosen if places else "",
            "choices": _choices(settings, activity, language),
            "traffic": drawn.traffic(activity, language),
            "people": drawn.people(activity, language),
            "total": sum(one.octets for one in activity.periods),
            "busiest": busiest,
            "busiest_when": formats.period(wanted.by, busiest.start, language) if busiest else "",
            "uses": drawn.shares(activity.uses, lambda name: called(language, USES, name), language),
            "places": drawn.shares(activity.places, lambda name: _name(name, settings, language), language),
            "systems": drawn.systems(activity.systems, language),
            "places_shown": _PLACES_SHOWN,
            "periods": tuple(Period),
        },
    )


def _told(asked: Asked, wanted: Days, places: tuple[str, ...]) -> Activity:
    return asked.tell(AskActivity(wanted.by, str(wanted.first), str(wanted.last), places), Activity)


def _known(activity: Activity) -> tuple[date, date] | None:
    if activity.known is None:
        return None
    return date.fromisoformat(activity.known[0]), date.fromisoformat(activity.known[1])


def _places(chosen: str, settings: Values) -> tuple[str, ...]:
    """The places of what was chosen; none, so all, where it is not understood."""
    if chosen.startswith(_GROUP):
        return settings.groups.get(chosen.removeprefix(_GROUP), ())
    place = chosen.removeprefix(_PLACE) if chosen.startswith(_PLACE) else ""
    return (place,) if place else ()


def _choices(settings: Values, activity: Activity, language: str) -> tuple[Choice, ...]:
    """Groups first, then places by their names: an answer names all places, whichever was asked for."""
    groups = [
        Choice(_GROUP + name, said(language, "Group: %(name)s", name=name))
        for name in sorted(settings.groups)
    ]
    names = {place.name for place in activity.places} | set(settings.places)
    places = [Choice(_PLACE + name, _name(name, settings, language)) for name in names]
    return (*groups, *sorted(places, key=lambda choice: choice.word.casefold()))


def _name(place: str, settings: Values, language: str) -> str:
    return called(language, PLACES, place) if place in PLACES else settings.name_of(place)


ROUTES: tuple[Route, ...] = (Route("GET", "/activity", Right.SEE_ACTIVITY, show, menu="activity"),)
