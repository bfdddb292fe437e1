"""Second screen: the administrator's second factor, proven by a first code, and the recovery codes."""

from dataclasses import replace

from markupsafe import Markup

from webui.accounts import factors
from webui.pages.setup.course import address, change, head, on, refused
from webui.pages.setup.draft import Draft, Factor, Made, Screen, current
from webui.pages.setup.making import make_account
from webui.rights import Right
from webui.routing import Asked, Moved, Reply, Route, Saved, Shown
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


ISSUER = "Greffier"


def new_factor() -> Factor:
    """A secret and recovery codes, not yet proven."""
    return Factor(factors.new_secret(), factors.new_recovery_codes())


def _show(asked: Asked, draft: Draft) -> Reply:
    if draft.administrator is None or draft.factor is None:
        return Moved(address(current(draft)))
    secret = draft.factor.secret
    uri = factors.uri(secret, draft.administrator.name, ISSUER)
    return Shown(
        "setup_factor.html",
        {
            **head(asked, Screen.FACTOR),
            "uri": uri,
            "picture": Markup(factors.qr(uri)),  # noqa: S704  # written by segno, out of numbers
            "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            "recovery_codes": draft.factor.recovery_codes,
        },
    )


def _save_codes(asked: Asked, draft: Draft) -> Reply:
    if draft.factor is None or draft.administrator is None:
        return Moved(address(current(draft)))
    title = said(asked.language, "Greffier: recovery codes of %(name)s", name=draft.administrator.name)
    once = said(asked.language, "Each code is good once, in place of a code of the application.")
    text = "\n".join((title, once, "", *draft.factor.recovery_codes, ""))
    return Saved("greffier-codes.txt", "text/plain; charset=utf-8", text.encode())


def _prove(asked: Asked, draft: Draft) -> Reply:
    if draft.factor is None:
        return Moved(address(current(draft)))
    if asked.form.get("kept") != "yes":
        raise refused(
            asked, _("Keep the recovery codes first: without them a lost phone locks you out."), "kept"
        )
    code = "".join(asked.form.get("code", "").split())
    step = factors.matching_step(draft.factor.secret, code, asked.site.clock())
    if step is None:
        raise refused(
            asked,
            _("This code is not right. Take the newest one; if it fails again, check the time of the phone."),
            "code",
        )
    proven = replace(draft.factor, step=step)
    told = change(asked, lambda now: replace(now, factor=proven))
    if Made.HOME in told.made:
        told = make_account(asked, told)
    return Moved(address(current(told)))


ROUTES = (
    Route("GET", "/setup/factor", Right.SET_UP, on(Screen.FACTOR, _show)),
    Route("GET", "/setup/factor/codes", Right.SET_UP, on(Screen.FACTOR, _save_codes)),
    Route("POST", "/setup/factor", Right.SET_UP, on(Screen.FACTOR, _prove)),
)
