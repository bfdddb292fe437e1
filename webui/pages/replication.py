"""How the copies stand, central by central; and how a central is made known."""

from urllib.parse import urlsplit

from appliance.control.messages import (
    AskCentral,
    AskReplication,
    CentralIdentity,
    Done,
    EnrolCentral,
    Replication,
)
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route, Shown
from webui.troubles import in_order, told
from webui.wording import said

_URL_LIMIT = 300


def show(asked: Asked) -> Reply:
    """Every central, and how many segments are safe where."""
    replication = asked.tell(AskReplication(), Replication)
    name_of = asked.site.settings.values().name_of
    centrals = [
        (
            central,
            [told(finding, asked.language, name_of, asked.may) for finding in in_order(central.findings)],
        )
        for central in replication.centrals
    ]
    values = {"replication": replication, "centrals": centrals, "total": sum(replication.safe)}
    return Shown("replication.html", values)


def show_enrol(asked: Asked) -> Reply:
    """The form for the address of a central."""
    return Shown("enrol.html", {"url": "", "identity": None, "pieces": []})


def ask_central(asked: Asked) -> Reply:
    """Who answers at that address: its fingerprint to be compared, and the form for the code."""
    url = _checked(asked, asked.form.get("url", "").strip())
    identity = asked.tell(AskCentral(url), CentralIdentity)
    return Shown("enrol.html", {"url": url, "identity": identity, "pieces": _pieces(identity)})


def enrol(asked: Asked) -> Reply:
    """Make it known by its code. Raises Refusal naming the field."""
    language, form = asked.language, asked.form
    code = form.get("code", "").strip()
    if not code:
        raise Refusal(said(language, "Type the code that the central's operator gave you."), "code")
    if form.get("same") != "yes":
        raise Refusal(
            said(language, "Compare the two fingerprints first, and say that they are the same."), "same"
        )
    asked.tell(EnrolCentral(_checked(asked, form.get("url", "")), code, form.get("fingerprint", "")), Done)
    return Moved("/replication", said(language, "The central is connected. Copies begin within a minute."))


def _checked(asked: Asked, url: str) -> str:
    pieces = urlsplit(url) if len(url) <= _URL_LIMIT and url.isprintable() else urlsplit("")
    if pieces.scheme != "https" or not pieces.hostname:
        raise Refusal(said(asked.language, "An address of a central begins with https://."), "url")
    return url


def _pieces(identity: CentralIdentity) -> list[str]:
    """Four characters at a time: two people compare them over the telephone."""
    plain = identity.fingerprint.replace(":", "")
    return [plain[at : at + 4] for at in range(0, len(plain), 4)]


ROUTES: tuple[Route, ...] = (
    Route("GET", "/replication", Right.SEE_REPLICATION, show, menu="replication"),
    Route("GET", "/replication/enrol", Right.CHANGE_REPLICATION, show_enrol, menu="replication"),
    Route(
        "POST",
        "/replication/central",
        Right.CHANGE_REPLICATION,
        ask_central,
        menu="replication",
        form="/replication/enrol",
    ),
    Route("POST", "/replication/enrol", Right.CHANGE_REPLICATION, enrol, menu="replication"),
)
