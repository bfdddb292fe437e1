"""First screen: language, set-up code, administrator and password."""

from dataclasses import replace

from appliance.control.messages import AskBox, Box
from webui.accounts import passwords
from webui.accounts.users import is_name, shown_name
from webui.first_boot import TooManyGuesses, WrongCode
from webui.pages.setup.course import START, address, boot, head, refused
from webui.pages.setup.draft import Administrator, Draft, Made, Screen, current
from webui.pages.setup.factor import new_factor
from webui.pages.signing.sentences import of_weakness
from webui.protection import number_of
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route, Shown


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


def _welcome(asked: Asked) -> Reply:
    if boot(asked).admits(asked.session):
        return Moved(address(current(boot(asked).draft(asked.session))))
    has_account = asked.site.accounts.any()
    if has_account and Made.HOME in _made(asked) and boot(asked).close_if_idle():
        return Moved("/")  # it was set up on the console meanwhile
    return Shown("setup_begin.html", {**head(asked, Screen.BEGIN), "needs_account": not has_account})


def _begin(asked: Asked) -> Reply:
    _check_code(asked)
    made = _made(asked)
    told = Draft(made)
    if Made.ACCOUNT not in made:
        told = replace(told, administrator=_administrator(asked), factor=new_factor())
    secret = boot(asked).begin(made)
    boot(asked).change(number_of(secret), lambda _: told)
    return Moved(address(current(told)), session=secret)


def _check_code(asked: Asked) -> None:
    try:
        boot(asked).check(asked.form.get("label", ""), asked.origin)
    except WrongCode:
        raise refused(
            asked, _("This is not the set-up code. Read it again, letter by letter."), "label"
        ) from None
    except TooManyGuesses:
        raise refused(asked, _("Too many wrong codes. Wait a minute, then try again."), "label") from None


def _made(asked: Asked) -> Made:
    """What stands already: an account, a home made on the console."""
    made = Made.ACCOUNT if asked.site.accounts.any() else Made.NOTHING
    return made | Made.HOME if asked.tell(AskBox(), Box).set_up else made


def _administrator(asked: Asked) -> Administrator:
    name = shown_name(asked.form.get("name", ""))
    password = asked.form.get("password", "")
    if not is_name(name):
        raise refused(asked, _("Give a name of letters and digits, 64 at most."), "name")
    weakness = passwords.weakness(password, (name, "greffier"))
    if weakness is not None:
        raise Refusal(of_weakness(asked.language, weakness), field="password")
    if password != asked.form.get("again", ""):
        raise refused(asked, _("The two passwords are not the same."), "again")
    return Administrator(name, password)


ROUTES = (
    Route("GET", START, Right.ANYBODY, _welcome),
    Route("POST", START, Right.ANYBODY, _begin),
)
