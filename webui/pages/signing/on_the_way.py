"""On the way in: another password, or the first second factor, before anything else may be seen."""

from urllib.parse import quote

from appliance.control.steps import Step
from webui.accounts import factors
from webui.accounts.seats import Stage
from webui.pages.signing import choosing, steps
from webui.pages.signing.sign_in import inside, is_at, too_late, wanted
from webui.rights import Right
from webui.routing import Asked, Moved, Reply, Route, Shown

RECOVERY_CODES = "/account/recovery-codes"


def show_password(asked: Asked) -> Reply:
    """A password of one's own, in place of one that was given or is too old."""
    if not is_at(asked, Stage.RENEWAL):
        return too_late(asked)
    return Shown("sign_in_password.html", {"next": wanted(asked), "name": asked.seat.name})


def set_password(asked: Asked) -> Reply:
    """Take it, if it is another one and hard to guess. Raises Refusal."""
    if not is_at(asked, Stage.RENEWAL):
        return too_late(asked)
    account = asked.site.accounts.users.get(asked.seat.user)
    if account is None:
        return too_late(asked)
    hashed = choosing.hashed(asked, account)
    steps.note(asked, Step.CHANGE_PASSWORD, account.name, account.role)
    asked.site.accounts.users.set_password(account.id, hashed)
    asked.site.accounts.sessions.end_others(account.id, but=asked.session)
    return _further(asked)


def show_factor(asked: Asked) -> Reply:
    """A QR code for the authenticator, until a code proves that it was read."""
    if not is_at(asked, Stage.ENROLMENT):
        return too_late(asked)
    return Shown(
        "sign_in_factor.html", {"next": wanted(asked), **choosing.factor_values(asked, asked.seat.name)}
    )


def set_factor(asked: Asked) -> Reply:
    """Take it, if the code is right. Raises Refusal."""
    if not is_at(asked, Stage.ENROLMENT):
        return too_late(asked)
    accounts, name = asked.site.accounts, asked.seat.name
    secret, step = choosing.proven_factor(asked)
    codes = factors.new_recovery_codes()
    steps.note(asked, Step.SET_FACTOR, name)
    accounts.users.set_factor(asked.seat.user, secret, step, codes)
    moved = _further(asked)
    accounts.codes.keep(choosing.number(moved), codes)
    return Moved(
        f"{RECOVERY_CODES}?next={quote(wanted(asked), safe='/')}", session=moved.session, device=moved.device
    )


def _further(asked: Asked) -> Moved:
    entered = asked.site.accounts.entrance.further(asked.seat, asked.origin, asked.agent, asked.device)
    return inside(asked, entered, asked.seat.name)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/sign-in/password", Right.ANYBODY, show_password),
    Route("POST", "/sign-in/password", Right.ANYBODY, set_password),
    Route("GET", "/sign-in/factor", Right.ANYBODY, show_factor),
    Route("POST", "/sign-in/factor", Right.ANYBODY, set_factor),
)
