"""Users: who may sign in, as what, and with which extras; for those who administer the accounts."""

from appliance.control.steps import Step
from webui.accounts.passwords import Busy, new_password
from webui.accounts.users import Account, LastOperator, NameTaken, is_name, shown_name
from webui.pages import role_words
from webui.pages.noting import stepped
from webui.pages.signing import sentences
from webui.rights import GRANTABLE, Right, Role
from webui.routing import Asked, Moved, Refusal, Reply, Route, Shown
from webui.wording import said

_ONE = "/users/<user>"
_ROTATIONS = (0, 90, 180, 365)


def show(asked: Asked) -> Reply:
    """All of them, and the form for another."""
    accounts = asked.site.accounts
    values = {
        "accounts": accounts.users.all(),
        "roles": role_words.roles(asked.language),
        "grantable": role_words.extras(asked.language),
        "rotation_days": accounts.rotation_days(),
        "rotations": _ROTATIONS,
    }
    return Shown("users.html", values)


def add(asked: Asked) -> Reply:
    """Another account, with a password that is shown once and must be renewed. Raises Refusal."""
    accounts = asked.site.accounts
    name = asked.form.get("name", "")
    if not is_name(name):
        raise Refusal(
            said(asked.language, "Letters, digits, spaces and . - _ @ make up a name."), field="name"
        )
    role, extras = _role(asked), _extras(asked)
    if accounts.users.named(name):
        raise _taken(asked)
    password = new_password()
    hashed = _hashed(asked, password)
    try:
        with stepped(asked, Step.ADD_USER, shown_name(name), _details(role, extras)):
            made: Account = accounts.users.add(name, role, hashed, accounts.clients_of(role), extras)
    except NameTaken:
        raise _taken(asked) from None
    accounts.given.keep(asked.session, (made.id, password))
    return Moved(f"/users/{made.id}")


def show_one(asked: Asked) -> Reply:
    """One of them; just after it was made, with the password that it was given."""
    account = _one(asked)
    given = asked.site.accounts.given.look(asked.session)
    values = {
        "account": account,
        "given_password": given[1] if given and given[0] == account.id else "",
        "sessions": asked.site.accounts.sessions.open_of(account.id),
        "roles": role_words.roles(asked.language),
        "grantable": role_words.extras(asked.language),
        "is_me": asked.seat is not None and asked.seat.user == account.id,
    }
    return Shown("user.html", values)


def change(asked: Asked) -> Reply:
    """Another role, other extras; it is signed out everywhere. Raises Refusal."""
    account, role, extras = _another(asked), _role(asked), _extras(asked)
    accounts = asked.site.accounts
    try:
        with stepped(asked, Step.CHANGE_USER, account.name, _details(role, extras)):
            accounts.users.change(account.id, role, accounts.clients_of(role), extras)
    except LastOperator:
        raise _last(asked) from None
    return Moved(f"/users/{account.id}", said(asked.language, "%(name)s is changed.", name=account.name))


def reset(asked: Asked) -> Reply:
    """Another password, shown once, to be renewed; on request the second factor is set up anew, too."""
    account = _another(asked)
    accounts = asked.site.accounts
    password = new_password()
    hashed = _hashed(asked, password)
    with stepped(asked, Step.RESET_USER, account.name):
        if asked.form.get("factor"):
            with stepped(asked, Step.REMOVE_FACTOR, account.name):
                accounts.users.set_factor(account.id, None, 0, ())
        accounts.users.set_password(account.id, hashed, given=True)
    accounts.given.keep(asked.session, (account.id, password))
    return Moved(f"/users/{account.id}")


def end_sessions(asked: Asked) -> Reply:
    """Sign it out everywhere."""
    account = _one(asked)
    with stepped(asked, Step.END_SESSIONS, account.name):
        asked.site.accounts.sessions.end_others(account.id)
    return Moved(f"/users/{account.id}", said(asked.language, "%(name)s is signed out.", name=account.name))


def remove(asked: Asked) -> Reply:
    """Forget it. Raises Refusal."""
    account = _another(asked)
    try:
        with stepped(asked, Step.REMOVE_USER, account.name):
            asked.site.accounts.users.remove(account.id)
    except LastOperator:
        raise _last(asked) from None
    return Moved("/users", said(asked.language, "%(name)s is removed.", name=account.name))


def change_rules(asked: Asked) -> Reply:
    """After how many days those who administer accounts choose another password."""
    days = asked.form.get("rotation_days", "")
    if days not in map(str, _ROTATIONS):
        raise Refusal(said(asked.language, "Choose one of the periods."), field="rotation_days")
    with stepped(asked, Step.CHANGE_RULES, "rotation", {"days": days}):
        asked.site.accounts.set_rotation_days(int(days))
    return Moved("/users", said(asked.language, "The rule is changed."))


def _role(asked: Asked) -> Role:
    try:
        return Role(asked.form.get("role", ""))
    except ValueError:
        raise Refusal(said(asked.language, "Choose a role."), field="role") from None


def _extras(asked: Asked) -> frozenset[Right]:
    wanted = asked.fields.get("extras", ())
    return frozenset(right for right in GRANTABLE if right.value in wanted)


def _one(asked: Asked) -> Account:
    number = asked.path["user"]
    is_number = number.isascii() and number.isdecimal() and len(number) < 10
    account = asked.site.accounts.users.get(int(number)) if is_number else None
    if not isinstance(account, Account):
        raise Refusal(said(asked.language, "There is no such user."), status=404)
    return account


def _another(asked: Asked) -> Account:
    """Somebody else: nobody takes his own rights, or gives himself others, by a slip. Raises Refusal."""
    account = _one(asked)
    if asked.seat is not None and asked.seat.user == account.id:
        sentence = said(
            asked.language, "This is your own account. Somebody else who administers users must do that."
        )
        raise Refusal(sentence, status=403)
    return account


def _hashed(asked: Asked, password: str) -> str:
    try:
        made: str = asked.site.accounts.passwords.hashed(password)
    except Busy:
        raise sentences.busy(asked.language) from None
    return made


def _details(role: Role, extras: frozenset[Right]) -> dict[str, str]:
    return {"role": role.value, "extras": " ".join(sorted(extras))}


def _taken(asked: Asked) -> Refusal:
    return Refusal(said(asked.language, "There is a user of this name already."), field="name")


def _last(asked: Asked) -> Refusal:
    sentence = said(
        asked.language, "Nobody would be left who can administer users. Make another operator first."
    )
    return Refusal(sentence, status=409)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/users", Right.SEE_USERS, show, "users"),
    Route("POST", "/users", Right.CHANGE_USERS, add, "users"),
    Route("POST", "/users/rules", Right.CHANGE_USERS, change_rules, "users", form="/users"),
    Route("GET", _ONE, Right.SEE_USERS, show_one, "users"),
    Route("POST", _ONE, Right.CHANGE_USERS, change, "users"),
    Route("POST", f"{_ONE}/reset", Right.CHANGE_USERS, reset, "users", form=_ONE),
    Route("POST", f"{_ONE}/end-sessions", Right.CHANGE_USERS, end_sessions, "users", form=_ONE),
    Route("POST", f"{_ONE}/remove", Right.CHANGE_USERS, remove, "users", form=_ONE),
)
