"""The pages that can be looked at, as addresses."""

import re
from urllib.parse import quote

from webui import routes
from webui.routing import Route

READING = [
    route
    for route in routes.ROUTES
    if route.method == "GET" and not route.path.startswith(("/setup", "/about/s"))
]
"""But the set-up, which is gone by then, and the source code, which is large."""


def url_of(route: Route, piece: str = "1") -> str:
    """Its address, this piece in place of what it names."""
    return re.sub(r"<[^>]+>", quote(piece, safe=""), route.path)
