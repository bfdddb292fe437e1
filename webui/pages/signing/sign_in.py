"""The door: name and password, then the second factor's code; and out again."""

from urllib.parse import quote

from appliance.control.steps import Step
from webui.accounts.entrance import Entered, TooOften, Wrong
from webui.accounts.passwords import Busy
from webui.accounts.seats import Seat, Stage
from webui.pages.signing import sentences, steps
from webui.protection import new_secret
from webui.rights import Right
from webui.routing import Asked, Moved, Reply, Route, Shown
from webui.wording import said

PATHS = {
    Stage.FACTOR: "/sign-in/code",
    Stage.RENEWAL: "/sign-in/password",
    Stage.ENROLMENT: "/sign-in/factor",
}
_TYPED = 64
"""Characters of a name that are noted of what somebody typed: it could be a password."""


def show(asked: Asked) -> Reply:
    """Name and password."""
    if asked.person:
        return Moved(wanted(asked))
    return Shown("sign_in.html", {"next": wanted(asked)})


def sign_in(asked: Asked) -> Reply:
    """Whether the password is right. Raises Refusal."""
    name = asked.form.get("name", "")
    entrance = asked.site.accounts.entrance
    try:
        entered = entrance.password(
            name, asked.form.get("password", ""), asked.origin, asked.agent, asked.device
        )
    except Wrong:
        steps.note(asked, Step.SIGN_IN_REFUSED, _known(asked, name), what="password")
        raise sentences.wrong_password(asked.language) from None
    except TooOften as error:
        if error.begins:
            steps.note(asked, Step.SIGN_IN_SLOWED, _known(asked, name), what="password")
        raise sentences.too_often(asked.language, error.wait_ns) from None
    except Busy:
        raise sentences.busy(asked.language) from None
    return inside(asked, entered, name)


def show_code(asked: Asked) -> Reply:
    """The second factor's code."""
    if not is_at(asked, Stage.FACTOR):
        return too_late(asked)
    return Shown("sign_in_code.html", {"next": wanted(asked)})


def give_code(asked: Asked) -> Reply:
    """Whether the code is right. Raises Refusal."""
    if not is_at(asked, Stage.FACTOR):
        return too_late(asked)
    seat: Seat = asked.seat
    code = asked.form.get("code", "")
    try:
        entered = asked.site.accounts.entrance.code(seat, code, asked.origin, asked.agent, asked.device)
    except Wrong:
        steps.note(asked, Step.SIGN_IN_REFUSED, seat.name, what="code")
        raise sentences.wrong_code(asked.language) from None
    except TooOften as error:
        if error.begins:
            steps.note(asked, Step.SIGN_IN_SLOWED, seat.name, what="code")
        raise sentences.too_often(asked.language, error.wait_ns) from None
    if entered.recovery:
        steps.note(asked, Step.USE_RECOVERY_CODE, seat.name)
    return inside(asked, entered, seat.name)


def sign_out(asked: Asked) -> Reply:
    """End this session; the cookie is another's from now on."""
    if asked.seat:
        asked.site.accounts.sessions.end(asked.session)
    if asked.person:
        steps.note(asked, Step.SIGN_OUT, asked.person.name, asked.person.role)
    return Moved("/sign-in", said(asked.language, "You are signed out."), session=new_secret())


def inside(asked: Asked, entered: Entered, name: str) -> Moved:
    """On to the next stage, or in."""
    if entered.stage is not Stage.IN:
        return Moved(f"{PATHS[entered.stage]}?next={quote(wanted(asked), safe='/')}", session=entered.secret)
    account = asked.site.accounts.users.named(name)
    if account:
        steps.note(asked, Step.SIGN_IN, account.name, account.role)
    return Moved(wanted(asked), session=entered.secret, device=entered.device)


def is_at(asked: Asked, stage: Stage) -> bool:
    """Whether this session is on its way in and at this stage."""
    return isinstance(asked.seat, Seat) and asked.seat.stage is stage


def too_late(asked: Asked) -> Moved:
    """To the beginning: the session on its way in is over, or was never there."""
    sentence = "" if asked.person else said(asked.language, "This took too long. Sign in again.")
    return Moved("/sign-in", sentence)


def wanted(asked: Asked) -> str:
    """The page that was wanted before the door came between; a path of ours, see `outgoing.local`."""
    path = asked.form.get("next") or asked.query.get("next") or "/"
    return path if path.startswith("/") and not path.startswith(("//", "/sign-")) else "/"


def _known(asked: Asked, name: str) -> str:
    """The account's name; of what is none only that it is none: it could be a password in the wrong field."""
    account = asked.site.accounts.users.named(name[:_TYPED])
    return account.name if account else ""


ROUTES: tuple[Route, ...] = (
    Route("GET", "/sign-in", Right.ANYBODY, show),
    Route("POST", "/sign-in", Right.ANYBODY, sign_in),
    Route("GET", "/sign-in/code", Right.ANYBODY, show_code),
    Route("POST", "/sign-in/code", Right.ANYBODY, give_code),
    Route("POST", "/sign-out", Right.ANYBODY, sign_out),
)
