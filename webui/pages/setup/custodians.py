"""Fourth screen: who alone can open the records. Keys that are made here leave as files, and are forgotten.

A private key is in this process's memory from its making until its file has come back unharmed and its sheet
was fetched. It is on no disk of the box.
"""

import datetime as dt
import re
import unicodedata
from dataclasses import replace

from appliance.model.errors import CustodyError
from appliance.runtime import custodian_keys
from webui.pages.setup import draft as drafts
from webui.pages.setup import sheet
from webui.pages.setup.course import address, change, check_letters, head, on, refused
from webui.pages.setup.draft import Custodian, Draft, Made, Screen, current
from webui.pages.setup.making import make_account, make_home
from webui.rights import Right
from webui.routing import Asked, Moved, Reply, Route, Saved, Shown
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


HERE = address(Screen.CUSTODIANS)
LEAST_PASSPHRASE = 10


def _show(asked: Asked, draft: Draft) -> Reply:
    return Shown(
        "setup_custodians.html",
        {
            **head(asked, Screen.CUSTODIANS),
            "custodians": draft.custodians,
            "quorum": min(draft.quorum, max(drafts.LEAST_CUSTODIANS, len(draft.custodians))),
            "quorums": [
                (
                    number,
                    said(asked.language, "%(number)s of %(all)s", number=number, all=len(draft.custodians)),
                )
                for number in range(drafts.LEAST_CUSTODIANS, len(draft.custodians) + 1)
            ],
            "least": drafts.LEAST_CUSTODIANS,
            "ready": drafts.custodians_ready(draft),
            "waiting": sum(not one.is_ready for one in draft.custodians),
            "file_name": _file_name,
        },
    )


def _make(asked: Asked, draft: Draft) -> Reply:
    name = _name(asked, draft, "name")
    passphrase = asked.form.get("passphrase", "")
    if passphrase != asked.form.get("again", ""):
        raise refused(asked, _("The two passphrases are not the same."), "again")
    if passphrase and len(passphrase) < LEAST_PASSPHRASE:
        raise refused(asked, _("A passphrase has 10 characters at least; or leave it empty."), "passphrase")
    recipient, key = custodian_keys.draw(passphrase or None, _now(asked))
    change(asked, lambda told: drafts.with_key(told, name, recipient, key, bool(passphrase)))
    return Moved(f"{HERE}#{recipient}")


def _bring(asked: Asked, draft: Draft) -> Reply:
    name = _name(asked, draft, "owner")
    try:
        recipient = custodian_keys.check_recipient(asked.form.get("recipient", ""))
        change(asked, lambda told: drafts.with_recipient(told, name, recipient))
    except CustodyError:
        raise refused(
            asked, _("This is not a public key. It begins with “age1” and has 62 characters."), "recipient"
        ) from None
    except ValueError:
        raise refused(asked, _("This public key is in the list already."), "recipient") from None
    return Moved(HERE)


def _name(asked: Asked, draft: Draft, field: str) -> str:
    name = " ".join(asked.form.get(field, "").split())
    if not 2 <= len(name) <= 64 or not name.isprintable():
        raise refused(asked, _("Give the custodian's name, in 2 to 64 letters."), field)
    check_letters(asked, name, field)
    if name.casefold() in {one.name.casefold() for one in draft.custodians}:
        raise refused(asked, _("A custodian of this name is in the list already."), field)
    if len(draft.custodians) >= drafts.MOST_CUSTODIANS:
        raise refused(asked, _("There are enough custodians."), field)
    return name


def _save_key(asked: Asked, draft: Draft) -> Reply:
    one = _custodian(asked, draft)
    if one.key is None:
        return Moved(HERE)
    return Saved(_file_name(one), "application/octet-stream", one.key)


def _save_sheet(asked: Asked, draft: Draft) -> Reply:
    one = _custodian(asked, draft)
    if one.key is None or draft.place is None:
        return Moved(HERE)
    content = sheet.written(
        asked.language,
        draft.place.site,
        one.name,
        one.recipient,
        one.key,
        one.locked,
        _file_name(one),
        _now(asked),
    )
    change(asked, lambda told: drafts.with_sheet_saved(told, one.recipient))
    return Saved(_file_name(one).removesuffix(".key") + ".pdf", "application/pdf", content)


def _prove(asked: Asked, draft: Draft) -> Reply:
    one = _custodian(asked, draft)
    upload = asked.files.get("file")
    if upload is None:
        raise refused(asked, _("Choose the key file that you saved."), one.recipient)
    try:
        change(asked, lambda told: drafts.with_key_proven(told, one.recipient, upload.content))
    except ValueError:
        text = _("This is not the key file of %(name)s. Choose the file that was saved from this page.")
        raise refused(asked, text, one.recipient, name=one.name) from None
    return Moved(
        f"{HERE}#{one.recipient}", said(asked.language, "The key of %(name)s is safe.", name=one.name)
    )


def _remove(asked: Asked, draft: Draft) -> Reply:
    recipient = _custodian(asked, draft).recipient
    change(asked, lambda told: drafts.without(told, recipient))
    return Moved(HERE)


def _finish(asked: Asked, draft: Draft) -> Reply:
    if not drafts.custodians_ready(draft):
        raise refused(
            asked, _("Two custodians at least are needed, and every key made here must be saved."), "quorum"
        )
    quorum = asked.form.get("quorum", "")
    if not quorum.isascii() or not quorum.isdecimal() or not 2 <= int(quorum) <= len(draft.custodians):
        raise refused(asked, _("Choose how many custodians must come together."), "quorum")
    told = make_home(asked, change(asked, lambda told: replace(told, quorum=int(quorum))))
    if Made.ACCOUNT not in told.made:
        told = make_account(asked, told)
    return Moved(address(current(told)))


def _custodian(asked: Asked, draft: Draft) -> Custodian:
    one = drafts.custodian(draft, asked.path["recipient"])
    if one is None:
        raise refused(asked, _("This custodian is not in the list any more."))
    return one


def _file_name(one: Custodian) -> str:
    """A name that every file system takes: `Élodie Roy` is saved as elodie-roy.key."""
    plain = unicodedata.normalize("NFKD", one.name).encode("ascii", "ignore").decode().lower()
    return (re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "custodian") + ".key"


def _now(asked: Asked) -> dt.datetime:
    return dt.datetime.fromtimestamp(asked.site.clock() // 1_000_000_000, dt.UTC)


_ONE = f"{HERE}/<recipient>"

ROUTES = (
    Route("GET", HERE, Right.SET_UP, on(Screen.CUSTODIANS, _show)),
    Route("POST", HERE, Right.SET_UP, on(Screen.CUSTODIANS, _finish)),
    Route("POST", f"{HERE}/make", Right.SET_UP, on(Screen.CUSTODIANS, _make), form=HERE),
    Route("POST", f"{HERE}/bring", Right.SET_UP, on(Screen.CUSTODIANS, _bring), form=HERE),
    Route("GET", f"{_ONE}/key", Right.SET_UP, on(Screen.CUSTODIANS, _save_key)),
    Route("GET", f"{_ONE}/sheet", Right.SET_UP, on(Screen.CUSTODIANS, _save_sheet)),
    Route("POST", f"{_ONE}/proof", Right.SET_UP, on(Screen.CUSTODIANS, _prove), form=HERE),
    Route("POST", f"{_ONE}/remove", Right.SET_UP, on(Screen.CUSTODIANS, _remove), form=HERE),
)
