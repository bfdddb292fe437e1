"""What moves, as server-sent events (WHATWG HTML, 9.2): for pages that stay open."""

import json
import time
from collections.abc import Iterator

from appliance.control.messages import AskLive, Live
from webui import formats
from webui.rights import Right
from webui.routing import Asked, Refusal, Reply, Route, Streamed
from webui.watch import Full

LASTS_S = 50.0
"""Then the browser comes back by itself: the web server cuts off a thread after 60 s."""

_COME_BACK_MS = 2_000


def show(asked: Asked) -> Reply:
    """A stream; none where as many look already as there is room for: then a page does without."""
    return Streamed(_events(asked))


def _events(asked: Asked) -> Iterator[str]:
    watch = asked.site.watch
    ends_s = time.monotonic() + LASTS_S
    try:
        with watch.seat(asked.session):
            number = 0
            while time.monotonic() < ends_s and asked.site.accounts.is_alive(asked.session):
                number, live = watch.newer(number, lambda: _live(asked))
                yield f"retry: {_COME_BACK_MS}\ndata: {_told(live, asked)}"
    except Full:
        return


def _live(asked: Asked) -> Live | None:
    try:
        return asked.tell(AskLive(), Live)
    except Refusal:
        return None


def _told(live: Live | None, asked: Asked) -> str:
    if live is None:
        return json.dumps({"lost": True})
    language = asked.language
    lasts = {"last": live.last_record, **{f"last:{name}": at for name, at in live.last_by_source.items()}}
    state = {
        "level": live.level,
        "findings": live.findings,
        "recording": "yes" if live.is_recording else "no",
    }
    values: dict[str, object] = {
        "users": formats.number(live.users_now, language),
        "rate": formats.rate(live.bits_per_s, language),
    }
    for key, at in lasts.items():
        if at:
            values[key] = {
                "at": at,
                "exactly": formats.moment(at, language),
                "text": formats.relative(at, asked.site.clock(), language),
            }
    return json.dumps({"state": state, "values": values})


ROUTES: tuple[Route, ...] = (Route("GET", "/live", Right.SEE_OVERVIEW, show),)
