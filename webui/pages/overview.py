"""The first page: does the box do what it should, and if not, what is to be done."""

from dataclasses import dataclass

from appliance.control.messages import Activity, AskActivity, AskOverview, CentralNow, Overview, SourceNow
from appliance.control.words import Level, Period, Trouble
from webui import drawn, formats, vocabulary, whole_spans
from webui.charts import ColumnChart, column_chart, evenly
from webui.pages.days import today
from webui.rights import Right
from webui.routing import Asked, Refusal, Reply, Route, Shown
from webui.standing import standing
from webui.troubles import in_order, told

_SHOWN_AT_ONCE = 3
"""Findings; what is less grave is one touch away."""

_HOURS = 24


@dataclass(frozen=True)
class LastHours:
    """The traffic of the last hours: a chart, what each column says, and the words of its edges."""

    chart: ColumnChart
    titles: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]
    marks: tuple[str, ...]
    ticks: tuple[str, ...]


def show(asked: Asked) -> Reply:
    """The box as it stands now."""
    now = asked.tell(AskOverview(), Overview)
    values = asked.site.settings.values()
    findings = [
        told(finding, asked.language, values.name_of, asked.may) for finding in in_order(now.findings)
    ]
    is_stopped = any(finding.trouble is Trouble.VAULT_STOPPED for finding in now.findings)
    return Shown(
        "overview.html",
        {
            "now": now,
            "standing": standing(now, asked.language),
            "findings": findings[:_SHOWN_AT_ONCE],
            "more_findings": findings[_SHOWN_AT_ONCE:],
            "sources": [
                (_name(source, asked.language), source, _state(source, is_stopped)) for source in now.sources
            ],
            "centrals": [(central, _copying(central)) for central in now.centrals],
            "segments": sum(now.safe),
            "last_hours": _last_hours(asked) if asked.may(Right.SEE_ACTIVITY) else None,
        },
    )


def _name(source: SourceNow, language: str) -> str:
    return vocabulary.source_name(language, source.name)


def _state(source: SourceNow, is_stopped: bool) -> str:
    """A word for the template: off, unplugged, silent, waiting, part or well."""
    if not source.live:
        return "off"
    if source.link in ("down", "absent"):
        return "unplugged"
    if source.silent:
        return "silent"
    if not source.last:
        return "waiting"
    return "part" if is_stopped else "well"


def _copying(central: CentralNow) -> Level:
    if central.findings:
        return max((finding.level for finding in central.findings), key=list(Level).index)
    return Level.WELL if central.sending else Level.ATTENTION


def _last_hours(asked: Asked) -> LastHours | None:
    """None where there are no statistics yet, or they cannot be had: the page says what matters without."""
    language = asked.language
    now = asked.site.clock()
    try:
        activity = asked.tell(AskActivity(Period.HOUR, today(now, -1), today(now)), Activity)
    except Refusal:
        return None
    activity = whole_spans.of_last_hours(activity, _HOURS, now)
    periods = activity.periods
    if not periods:
        return None
    chart = column_chart([None if period.too_few else period.octets for period in periods])
    hours = [formats.hour(period.start, language) for period in periods]
    rows = tuple(
        (
            hour,
            drawn.octets(period, language),
            formats.spread(period.users_least, period.users_most, language),
        )
        for hour, period in zip(hours, periods, strict=True)
    )
    return LastHours(
        chart,
        tuple(f"{hour} – {size}" for hour, size, _users in rows),
        rows,
        tuple(formats.size(value, language) for value in chart.scale),
        evenly(hours, 5),
    )


ROUTES: tuple[Route, ...] = (Route("GET", "/", Right.SEE_OVERVIEW, show, menu="overview"),)
