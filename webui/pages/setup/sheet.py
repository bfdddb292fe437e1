"""The recovery sheet of one custodian: the key on paper, should its file be lost. Pure but for the font."""

import datetime as dt

from webui import formats
from webui.paper import Paper
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


_TITLE = _("Recovery sheet of a custodian")
_FOOT = _("Greffier – to be locked away")
_SITE = _("Site")
_CUSTODIAN = _("Custodian")
_MADE = _("Made on")
_PUBLIC = _("Public key")
_HOW_KEPT = _("Keep it like a will")
_KEY = _("The key")
_AGAIN = _("How to use it again")
_RECEIVED = _("Received on, by")
_WHAT = _(
    "This sheet brings back one key to the sealed records of this site. A single key opens nothing: several "
    "custodians must come together, each with a key."
)
_KEEP = (
    _("Put it into an envelope, sign across the flap, and lock it away."),
    _("Keep it apart from the box, and from the sheets of the other custodians."),
    _("Do not photograph it, copy it or send it."),
)
_OPEN_KEY = _("Whoever holds this sheet holds the key.")
_LOCKED_KEY = _("The key is locked by a passphrase that is not on this sheet: without it, it cannot be used.")
_BACK = _(
    "Scan the code, or type the lines of the frame, into a text file named %(file)s. It is a key in the open "
    "format age: the program age reads it, and “age-keygen -y %(file)s” shows the public key above."
)
_BACK_LOCKED = _(
    "Scan the code, or type the lines of the frame, into a text file named %(file)s. It is a file in the "
    "open format age: “age -d %(file)s” asks for the passphrase and shows the key."
)


def written(
    language: str,
    site: str,
    name: str,
    recipient: str,
    key: bytes,
    locked: bool,
    file_name: str,
    now: dt.datetime,
) -> bytes:
    """The sheet as PDF, one page. `file_name` is what the key was saved as."""

    def words(text: str, **values: object) -> str:
        return said(language, text, **values)

    paper = Paper(language, words(_TITLE), words(_FOOT), now)
    paper.paragraph(words(_WHAT))
    paper.facts(
        [
            (words(_SITE), site),
            (words(_CUSTODIAN), name),
            (words(_MADE), formats.day(now.date().isoformat(), language)),
            (words(_PUBLIC), f"{recipient[:31]}\n{recipient[31:]}"),
        ]
    )
    paper.heading(words(_HOW_KEPT))
    paper.points([*(words(text) for text in _KEEP), words(_LOCKED_KEY if locked else _OPEN_KEY)])
    paper.heading(words(_KEY))
    paper.code(key.decode("ascii"))
    paper.qr(key, 66 if locked else 52)
    paper.heading(words(_AGAIN))
    paper.paragraph(words(_BACK_LOCKED if locked else _BACK, file=file_name))
    paper.facts([(words(_RECEIVED), "_" * 46)])
    return paper.content()
