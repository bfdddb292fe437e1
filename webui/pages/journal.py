"""The journal: every privileged step as a signed line, the newest first; and the same for paper."""

from functools import partial
from typing import Any

from appliance.control.messages import AskAudit, AskBox, Audit, Box
from appliance.control.steps import Step
from webui import journal_words
from webui.pages.noting import note
from webui.rights import Right
from webui.routing import Asked, Refusal, Reply, Route, Shown
from webui.wording import said

_A_PAGE = 50
_ON_PAPER = 500

_TOLD = ("step", "subject", "details", "outcome", "role", "place")
"""What the table asks of a line."""

_LEVELS = {"done": "well", "failed": "failing", "refused": "attention"}


def show(asked: Asked) -> Reply:
    """A page of lines before the number `before`."""
    note(asked, Step.SEE_JOURNAL)
    audit = asked.tell(AskAudit(_before(asked), _A_PAGE), Audit)
    return Shown("journal.html", {**_words(asked.language), "audit": audit, "older": _older(audit, _A_PAGE)})


def show_on_paper(asked: Asked) -> Reply:
    """Many lines at once, as a document."""
    note(asked, Step.PRINT_DOCUMENT, "journal")
    audit = asked.tell(AskAudit(_before(asked), _ON_PAPER), Audit)
    box = asked.tell(AskBox(), Box)
    return Shown(
        "journal_paper.html",
        {**_words(asked.language), "audit": audit, "older": _older(audit, _ON_PAPER), "box": box},
    )


def _older(audit: Audit, count: int) -> int | None:
    """Before which number the next page begins; None at the end."""
    if len(audit.lines) < count or not audit.lines[-1].seq:
        return None
    return audit.lines[-1].seq


def _before(asked: Asked) -> int | None:
    text = asked.query.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Refusal(said(asked.language, "There is no such line."), status=404)
    return int(text)


def _words(language: str) -> dict[str, Any]:
    told = {name: partial(getattr(journal_words, name), language) for name in _TOLD}
    return {**told, "level": lambda line: _LEVELS.get(line.outcome, "attention")}


ROUTES: tuple[Route, ...] = (
    Route("GET", "/journal", Right.SEE_AUDIT, show, menu="journal"),
    Route("GET", "/journal/paper", Right.SEE_AUDIT, show_on_paper, menu="journal"),
)
