"""What a new password and a new second factor must be, wherever they are chosen."""

from markupsafe import Markup

from webui.accounts import factors
from webui.accounts.entrance import TooOften, Wrong
from webui.accounts.passwords import Busy, weakness
from webui.accounts.users import Account
from webui.pages.signing import sentences
from webui.protection import number_of
from webui.routing import Asked, Moved, Refusal
from webui.wording import said


def hashed(asked: Asked, account: Account) -> str:
    """The hash of the form's `new_password`. Raises Refusal where it is weak or as before."""
    accounts, language = asked.site.accounts, asked.language
    password = asked.form.get("new_password", "")
    if password != asked.form.get("password_again", ""):
        raise Refusal(said(language, "You typed two different passwords."), field="password_again")
    names = (
        account.name,
        *account.name.split(),
        accounts.client(),
        asked.site.settings.values().branding.name,
    )
    if weak := weakness(password, names):
        raise Refusal(sentences.of_weakness(language, weak), field="new_password")
    try:
        if accounts.passwords.is_right(account.password, password):
            raise Refusal(said(language, "This is the password that you have already."), field="new_password")
        made: str = accounts.passwords.hashed(password)
    except Busy:
        raise sentences.busy(language) from None
    return made


def is_really(asked: Asked, account: Account) -> None:
    """Whether the form's `current` is his password: who finds a page open must not take the account over.

    Raises Refusal.
    """
    accounts = asked.site.accounts
    try:
        accounts.entrance.check_own(account, asked.form.get("current", ""), asked.origin, asked.device)
    except Wrong:
        raise sentences.wrong_own_password(asked.language) from None
    except TooOften as error:
        raise sentences.too_often(asked.language, error.wait_ns) from None
    except Busy:
        raise sentences.busy(asked.language) from None


def factor_values(asked: Asked, name: str) -> dict[str, object]:
    """A secret that is not proven yet, as QR code and as letters; the same until it is."""
    accounts = asked.site.accounts
    secret = accounts.secrets.look(asked.session) or accounts.secrets.keep(
        asked.session, factors.new_secret()
    )
    issuer = accounts.client() or asked.site.settings.values().branding.name
    drawn = factors.qr(factors.uri(secret, name, issuer))
    grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return {"qr": Markup(drawn), "secret": grouped}  # noqa: S704 - made by segno out of our own values


def proven_factor(asked: Asked) -> tuple[str, int]:
    """The secret and the time step of the form's `code`. Raises Refusal."""
    accounts = asked.site.accounts
    secret = accounts.secrets.look(asked.session)
    step = factors.matching_step(secret, asked.form.get("code", ""), asked.site.clock()) if secret else None
    if secret is None or step is None:
        sentence = said(asked.language, "The app shows another code. Type the six digits that it shows now.")
        raise Refusal(sentence, field="code")
    accounts.secrets.take(asked.session)
    return secret, step


def number(moved: Moved) -> str:
    """The session that goes on after this answer."""
    return number_of(moved.session)
