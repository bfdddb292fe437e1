"""Fifth screen: the centrals that keep a copy, each agreed to by its fingerprint; or later."""

import re
from dataclasses import replace

from appliance.control.messages import AskCentral, CentralIdentity, Done, EnrolCentral
from webui.pages.setup.course import address, change, head, on, refused, tell
from webui.pages.setup.draft import Central, Draft, Screen, current
from webui.rights import Right
from webui.routing import Asked, Moved, Reply, Route, Shown
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


HERE = address(Screen.CENTRALS)
_URL = re.compile(r"https://[^\s/?#@]+(:\d{1,5})?/?", re.ASCII)


def _show(asked: Asked, draft: Draft) -> Reply:
    return Shown(
        "setup_centrals.html",
        {**head(asked, Screen.CENTRALS), "centrals": draft.centrals, "looked_at": draft.looked_at},
    )


def _look(asked: Asked, draft: Draft) -> Reply:
    """Ask who is there; nothing is believed yet."""
    url = asked.form.get("url", "").strip().rstrip("/")
    if not _URL.fullmatch(url):
        raise refused(asked, _("Write the address like https://central.example.net."), "url")
    code = "".join(asked.form.get("central_code", "").split())
    if not code:
        raise refused(asked, _("Give the code that the operator of the central handed out."), "central_code")
    found = tell(asked, draft, AskCentral(url), CentralIdentity)
    looked_at = Central(url, found.name, found.fingerprint, code)
    change(asked, lambda told: replace(told, looked_at=looked_at))
    return Moved(HERE)


def _agree(asked: Asked, draft: Draft) -> Reply:
    one = draft.looked_at
    if one is None:
        return Moved(HERE)
    if asked.form.get("do") != "agree":
        change(asked, lambda told: replace(told, looked_at=None))
        return Moved(HERE)
    tell(asked, draft, EnrolCentral(one.url, one.code, one.fingerprint), Done)
    known = replace(one, code="")
    change(asked, lambda told: replace(told, looked_at=None, centrals=(*told.centrals, known)))
    return Moved(HERE, said(asked.language, "The central %(name)s knows this box now.", name=one.name))


def _go_on(asked: Asked, draft: Draft) -> Reply:
    told = change(asked, lambda told: replace(told, centrals_done=True, looked_at=None))
    return Moved(address(current(told)))


ROUTES = (
    Route("GET", HERE, Right.SET_UP, on(Screen.CENTRALS, _show)),
    Route("POST", HERE, Right.SET_UP, on(Screen.CENTRALS, _go_on)),
    Route("POST", f"{HERE}/look", Right.SET_UP, on(Screen.CENTRALS, _look), form=HERE),
    Route("POST", f"{HERE}/agree", Right.SET_UP, on(Screen.CENTRALS, _agree), form=HERE),
)
