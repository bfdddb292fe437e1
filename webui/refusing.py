"""Who is not let in, and where he is sent instead."""

import contextlib
from collections.abc import Mapping
from urllib.parse import quote

from appliance.control.steps import Step
from webui import routes
from webui.pages import noting
from webui.rights import Right, may
from webui.routing import Asked, Moved, Refusal, Route
from webui.site import Site
from webui.wording import said

_WHILE_SETTING_UP = ("/setup", "/static/", "/branding")
_SIGN_IN = "/sign-in"


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


SENTENCES = {
    400: _("The request was not understood."),
    403: _("Your account may not do this."),
    404: _("There is no such page."),
    405: _("This cannot be done here."),
    411: _("The request was not understood."),
    413: _("What was sent is too large."),
    415: _("The request was not understood."),
    421: _("The box does not answer to this name. Use its address, or the name it was given."),
    503: _("The page cannot work as it should. Whoever maintains the box needs the words below."),
    500: _("Something went wrong in this page. The recording is not touched by it."),
}

FOREIGN_FORM = _("This form was not opened in this browser, or too long ago. Load the page again and repeat.")


def way_out(site: Site, route: Route, asked: Asked) -> Moved | None:
    """Where to send who may not have this route now; None if he may. Raises Refusal."""
    setting_up = site.first_boot is not None and not site.first_boot.done
    if setting_up and not route.path.startswith(_WHILE_SETTING_UP):
        return Moved("/setup")
    if not setting_up and route.path.startswith("/setup"):
        raise Refusal(said(asked.language, SENTENCES[404]), status=404)
    if route.right is Right.SET_UP:
        return None if setting_up and site.first_boot.admits(asked.session) else Moved("/setup")
    if route.right is Right.ANYBODY:
        return None
    if asked.person is None:
        return Moved(door(asked))
    if not may(asked.person, route.right, site.accounts.client()):
        _note(asked, route)
        raise Refusal(said(asked.language, SENTENCES[403]), status=403)
    return None


def door(asked: Asked) -> str:
    """The page to sign in at, which leads back to what was wanted if that can be shown."""
    if asked.method not in ("GET", "HEAD") or asked.url == "/":
        return _SIGN_IN
    return f"{_SIGN_IN}?next={quote(asked.url, safe='/')}"


def path_of(page: Route, pieces: Mapping[str, str]) -> str:
    """Where this page stands, its named pieces filled in."""
    path = page.path
    for name, piece in pieces.items():
        path = path.replace(f"<{name}>", quote(piece, safe=""))
    return path


def _note(asked: Asked, route: Route) -> None:
    """In the journal, once an hour a session and route; if it cannot be noted he is refused all the same."""
    with contextlib.suppress(Refusal):
        noting.note(asked, Step.ACCESS_REFUSED, f"{route.method} {route.path}")


def form_of(route: Route) -> Route | None:
    """The page that holds the form of a change."""
    wanted = route.form or route.path
    return next((page for page in routes.ROUTES if page.method == "GET" and page.path == wanted), None)
