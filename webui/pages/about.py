"""What this box is made of, and the documents that a site has to have: notice and register entry."""

import datetime as dt

from appliance.control.messages import AskBox, AskRetention, Box, Retention
from appliance.control.steps import Step
from webui import formats, licences, press
from webui.documents import Document
from webui.notice import notice
from webui.pages.noting import note
from webui.register import register
from webui.rights import Right
from webui.routing import Asked, Refusal, Reply, Route, Saved, Shown
from webui.wording import LANGUAGES, said


def show(asked: Asked) -> Reply:
    """Versions, documents, licences."""
    box = asked.tell(AskBox(), Box)
    return Shown(
        "about.html",
        {
            "box": box,
            "version": licences.own_version(),
            "parts": licences.parts(),
            "contacts": asked.site.settings.values().contacts,
            "custodians": asked.site.settings.values().custodians,
            "has_authority": _authority(asked) is not None,
        },
    )


def show_licence(asked: Asked) -> Reply:
    """The licence of one part, as it came with it. Raises Refusal."""
    name = asked.query.get("name", "")
    for part in licences.parts():
        if part.name == name:
            return Shown("licence.html", {"part": part})
    raise Refusal(said(asked.language, "There is no such page."), status=404)


def save_source(asked: Asked) -> Reply:
    """The source of what is running."""
    return Saved(f"greffier-{licences.own_version()}.tar.gz", "application/gzip", press.packed())


def save_authority(asked: Asked) -> Reply:
    """The certificate that a browser is to trust, for no warning to be shown. Raises Refusal without one."""
    authority = _authority(asked)
    if authority is None:
        raise Refusal(said(asked.language, "There is no such page."), status=404)
    return Saved("greffier-ca.pem", "application/x-pem-file", authority)


def show_notice(asked: Asked) -> Reply:
    """The notice for the users of the Wi-Fi."""
    return _shown(asked, _notice(asked), "notice")


def save_notice(asked: Asked) -> Reply:
    """The same as PDF."""
    return _saved(asked, _notice(asked), "notice")


def show_register(asked: Asked) -> Reply:
    """The entry for the record of processing activities."""
    return _shown(asked, _register(asked), "register")


def save_register(asked: Asked) -> Reply:
    """The same as PDF."""
    return _saved(asked, _register(asked), "register")


def _notice(asked: Asked) -> Document:
    contacts = asked.site.settings.values().contacts
    box, retention = asked.tell(AskBox(), Box), asked.tell(AskRetention(), Retention)
    return notice(_language(asked), box, retention, contacts, _day(asked))


def _register(asked: Asked) -> Document:
    contacts = asked.site.settings.values().contacts
    box, retention = asked.tell(AskBox(), Box), asked.tell(AskRetention(), Retention)
    return register(_language(asked), box, retention, contacts, _day(asked))


def _shown(asked: Asked, document: Document, name: str) -> Shown:
    return Shown("document.html", {"document": document, "name": name, "languages": LANGUAGES})


def _saved(asked: Asked, document: Document, name: str) -> Saved:
    note(asked, Step.PRINT_DOCUMENT, name)
    content = press.printed(document, _now(asked))
    return Saved(f"{name}-{document.language}.pdf", "application/pdf", content)


def _language(asked: Asked) -> str:
    """The document's: a French page may be asked for the English notice."""
    wanted = asked.query.get("in", "")
    return wanted if wanted in LANGUAGES else asked.language


def _day(asked: Asked) -> str:
    return formats.day(_now(asked).date().isoformat(), _language(asked))


def _now(asked: Asked) -> dt.datetime:
    return dt.datetime.fromtimestamp(asked.site.clock() // 1_000_000_000, dt.UTC)


def _authority(asked: Asked) -> bytes | None:
    try:
        return bytes((asked.site.state / "tls" / "ca.pem").read_bytes())
    except OSError:
        return None


ROUTES: tuple[Route, ...] = (
    Route("GET", "/about", Right.SELF, show, menu="about"),
    Route("GET", "/about/licence", Right.SELF, show_licence, menu="about"),
    Route("GET", "/about/source.tar.gz", Right.SELF, save_source, menu="about"),
    Route("GET", "/about/notice", Right.SELF, show_notice, menu="about"),
    Route("GET", "/about/notice.pdf", Right.SELF, save_notice, menu="about"),
    Route("GET", "/about/register", Right.SELF, show_register, menu="about"),
    Route("GET", "/about/register.pdf", Right.SELF, save_register, menu="about"),
    Route("GET", "/ca.pem", Right.ANYBODY, save_authority),
)
