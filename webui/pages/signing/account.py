"""One's own account: password, second factor, recovery codes, and where one is signed in."""

from appliance.control.steps import Step
from webui import browsers
from webui.accounts import factors
from webui.accounts.users import Account
from webui.pages.noting import stepped
from webui.pages.signing import choosing
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route, Shown
from webui.wording import said

_CODES = "/account/recovery-codes"


def show(asked: Asked) -> Reply:
    """Everything of it on one page."""
    accounts, me = asked.site.accounts, own(asked)
    values = {
        "account": me,
        "sessions": accounts.sessions.open_of(me.id),
        "browser_of": browsers.named,
        "this_session": asked.session,
        "codes_left": accounts.users.recovery_codes_left(me.id),
    }
    return Shown("account.html", values)


def change_password(asked: Asked) -> Reply:
    """Another password; whoever else is signed in with the old one is signed out. Raises Refusal."""
    me = own(asked)
    choosing.is_really(asked, me)
    hashed = choosing.hashed(asked, me)
    with stepped(asked, Step.CHANGE_PASSWORD, me.name):
        asked.site.accounts.users.set_password(me.id, hashed)
    secret = _only_here(asked, me)
    notice = said(asked.language, "Your password is changed. Everywhere else you are signed out.")
    return Moved("/account", notice, session=secret)


def show_factor(asked: Asked) -> Reply:
    """A QR code for another phone."""
    return Shown("account_factor.html", choosing.factor_values(asked, own(asked).name))


def change_factor(asked: Asked) -> Reply:
    """Another authenticator in place of the one before, with other recovery codes. Raises Refusal."""
    me = own(asked)
    choosing.is_really(asked, me)
    secret, step = choosing.proven_factor(asked)
    codes = factors.new_recovery_codes()
    with stepped(asked, Step.SET_FACTOR, me.name):
        asked.site.accounts.users.set_factor(me.id, secret, step, codes)
    moved = Moved(_CODES, session=_only_here(asked, me))
    asked.site.accounts.codes.keep(choosing.number(moved), codes)
    return moved


def make_codes(asked: Asked) -> Reply:
    """Other recovery codes in place of those before. Raises Refusal."""
    me = own(asked)
    choosing.is_really(asked, me)
    codes = factors.new_recovery_codes()
    with stepped(asked, Step.MAKE_RECOVERY_CODES, me.name):
        asked.site.accounts.users.set_recovery_codes(me.id, codes)
    asked.site.accounts.codes.keep(asked.session, codes)
    return Moved(_CODES)


def show_codes(asked: Asked) -> Reply:
    """The recovery codes, until they are said to be safe or a quarter of an hour is over."""
    codes = asked.site.accounts.codes.look(asked.session)
    if codes is None:
        return Moved("/account")
    return Shown("account_codes.html", {"codes": codes, "next": asked.query.get("next", "/account")})


def have_codes(asked: Asked) -> Reply:
    """They are printed or written down: nobody shows them again."""
    asked.site.accounts.codes.take(asked.session)
    path = asked.form.get("next", "/account")
    return Moved(path if path.startswith("/") else "/account")


def end_session(asked: Asked) -> Reply:
    """Sign one browser out."""
    me = own(asked)
    with stepped(asked, Step.END_SESSIONS, me.name):
        asked.site.accounts.sessions.end_of(me.id, asked.form.get("session", ""))
    return Moved("/account", said(asked.language, "That browser is signed out."))


def end_others(asked: Asked) -> Reply:
    """Sign every browser out but this one, and know none but this one any more."""
    me = own(asked)
    with stepped(asked, Step.END_SESSIONS, me.name):
        asked.site.accounts.sessions.end_others(me.id, but=asked.session)
        asked.site.accounts.devices.forget_others(me.id, but=asked.device)
    return Moved("/account", said(asked.language, "Everywhere else you are signed out."))


def own(asked: Asked) -> Account:
    """The account that asks. Raises Refusal where it was removed just now."""
    account = asked.site.accounts.users.get(asked.seat.user) if asked.seat else None
    if not isinstance(account, Account):
        raise Refusal(said(asked.language, "This account does not exist any more."), status=403)
    return account


def _only_here(asked: Asked, me: Account) -> str:
    """End every session of this account; the secret of a new one for this browser."""
    accounts = asked.site.accounts
    accounts.sessions.end_others(me.id)
    accounts.devices.forget_others(me.id, but=asked.device)
    secret: str = accounts.begin(me.name, asked.agent, asked.origin)
    return secret


ROUTES: tuple[Route, ...] = (
    Route("GET", "/account", Right.SELF, show, "account"),
    Route("POST", "/account/password", Right.SELF, change_password, "account", form="/account"),
    Route("GET", "/account/factor", Right.SELF, show_factor, "account"),
    Route("POST", "/account/factor", Right.SELF, change_factor, "account"),
    Route("GET", _CODES, Right.SELF, show_codes, "account"),
    Route("POST", _CODES, Right.SELF, have_codes, "account"),
    Route("POST", f"{_CODES}/new", Right.SELF, make_codes, "account", form="/account"),
    Route("POST", "/account/sessions/end", Right.SELF, end_session, "account", form="/account"),
    Route("POST", "/account/sessions/end-others", Right.SELF, end_others, "account", form="/account"),
)
