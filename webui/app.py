"""The page as a WSGI application: finds the route, asks `guard`, lets the page answer, sends it."""

from typing import Any

import bottle

from webui import guard
from webui.routing import Route
from webui.routes import ROUTES
from webui.site import Site


def application(site: Site) -> bottle.Bottle:
    """Every route of the table, each behind the guard."""
    app = bottle.Bottle(catchall=True)
    for route in ROUTES:
        app.route(route.path, route.method, _answering(site, route))
    return app


def _answering(site: Site, route: Route) -> Any:
    return lambda **path: guard.answer(site, route, path)
