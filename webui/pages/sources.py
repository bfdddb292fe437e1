"""Who may speak to the box, who does, and what of it was missed; letting go of who should no more."""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlencode

from appliance.control.messages import AskSources, Declared, Done, ForgetSource, Sources, Stranger
from webui.guides import GUIDES
from webui.pages.coverage import REACHES, day_href, lanes, reach_of, today
from webui.pages.paging import leaf
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route, Shown
from webui.vocabulary import KINDS, LOST, PORTS, word
from webui.wording import said


@dataclass(frozen=True)
class Waiting:
    """A sender that nobody declared, and where it is let in."""

    stranger: Stranger
    kind: str
    accept: str


def show(asked: Asked) -> Reply:
    """Interfaces, sources, senders that wait, and the lanes of the last days."""
    sources = asked.tell(AskSources(), Sources)
    days = reach_of(asked)
    last = today(asked)
    return Shown(
        "sources.html",
        {
            "sources": sources,
            "leaf": leaf(asked, "/sources", sources.declared),
            "waiting": [_waiting(asked.language, stranger) for stranger in sources.strangers],
            "lanes": lanes(asked, last - dt.timedelta(days=days - 1), last),
            "days": days,
            "reaches": REACHES,
            "guides": GUIDES,
            "state": state_of,
            "href": href,
            "day_href": day_href,
            "ports": [(word(asked.language, PORTS, kind), port) for kind, port in sources.ports.items()],
        },
    )


def show_one(asked: Asked) -> Reply:
    """One declared source: its settings, its habit, its access points, its losses."""
    sources = asked.tell(AskSources(), Sources)
    source = found(asked, sources)
    last = today(asked)
    days = reach_of(asked)
    known = [word(asked.language, KINDS, kind) for kind in source.kinds]
    return Shown(
        "source.html",
        {
            "source": source,
            "listening": sources.listening,
            "state": state_of,
            "kinds": known,
            "by_kind": [(word(asked.language, KINDS, kind), count) for kind, count in source.by_kind.items()],
            "lost": [(word(asked.language, LOST, key), count) for key, count in source.lost.items() if count],
            "lanes": lanes(asked, last - dt.timedelta(days=days - 1), last, f"feed:{source.label}"),
            "days": days,
            "reaches": REACHES,
            "href": href,
            "day_href": day_href,
        },
    )


def forget(asked: Asked) -> Reply:
    """Let a source speak no more."""
    label = asked.form.get("label", "")
    asked.tell(ForgetSource(label), Done)
    return Moved("/sources", said(asked.language, "“%(label)s” may speak no more.", label=label))


def found(asked: Asked, sources: Sources) -> Declared:
    """The source that the address names. Raises Refusal."""
    label = asked.query.get("label", "") or asked.form.get("was", "")
    for source in sources.declared:
        if source.label == label:
            return source
    raise Refusal(said(asked.language, "There is no source of this name."), status=404)


def href(label: str, page: str = "source") -> str:
    """A page about a source."""
    return f"/sources/{page}?" + urlencode({"label": label})


def state_of(source: Declared) -> str:
    """never, silent or speaks."""
    if source.last is None:
        return "never"
    return "silent" if source.silent else "speaks"


def _waiting(language: str, stranger: Stranger) -> Waiting:
    asked_for = {"address": stranger.address, "mac": stranger.mac, "kind": stranger.kind}
    return Waiting(stranger, word(language, KINDS, stranger.kind), "/sources/declare?" + urlencode(asked_for))


ROUTES: tuple[Route, ...] = (
    Route("GET", "/sources", Right.SEE_SOURCES, show, menu="sources"),
    Route("GET", "/sources/source", Right.SEE_SOURCES, show_one, menu="sources"),
    Route("POST", "/sources/forget", Right.CHANGE_SOURCES, forget, menu="sources", form="/sources"),
)
