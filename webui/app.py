"""The page as a WSGI application: finds the route, lets `guard` answer, and writes every request down."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import bottle

from appliance.https.mishaps import Mishap
from webui import guard
from webui.request_log import RequestLog
from webui.routes import ROUTES
from webui.routing import Route
from webui.site import Site

WHO, WHAT = "greffier.person", "greffier.route"
"""Where the guard leaves in the environment who asks; and here, which route it is."""

_METHODS = ("GET", "HEAD", "POST")


class Page:
    """One process of the page."""

    def __init__(self, site: Site, requests: RequestLog) -> None:
        self._requests = requests
        self._app = _routed(site)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        begun_s = time.monotonic()

        def started(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            took_ms = round((time.monotonic() - begun_s) * 1000)
            method = environ["REQUEST_METHOD"]
            what = f"{method if method in _METHODS else 'other'} {environ.get(WHAT, 'unknown')}"
            origin = str(environ.get("REMOTE_ADDR", ""))
            self._requests.note(str(environ.get(WHO) or ""), origin, what, status[:3], took_ms)
            return start_response(status, headers, *error)

        answer: Iterable[bytes] = self._app(environ, started)
        return answer

    def count_mishap(self, mishap: Mishap) -> None:
        """A peer that no request came of."""
        self._requests.count(mishap.value)


def _routed(site: Site) -> bottle.Bottle:
    """Every route of the table, each behind the guard; nothing else exists."""
    app = bottle.Bottle()
    for route in ROUTES:
        app.route(route.path, route.method, _answering(site, route))
    for status in (404, 405, 500):
        app.error(status)(lambda error: guard.lost(site, error.status_code))
    return app


def _answering(site: Site, route: Route) -> Any:
    def answer(**path: str) -> Any:
        bottle.request.environ[WHAT] = route.path
        return guard.answer(site, route, path)

    return answer
