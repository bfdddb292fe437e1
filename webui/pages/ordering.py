"""What is changed about retention: holds placed and ended, bases confirmed, what happens when one lapses."""

import datetime as dt

from appliance.control.messages import (
    AskRetention,
    Basis,
    ConfirmBasis,
    Done,
    EndHold,
    PlaceHold,
    Retention,
    SetLapse,
)
from appliance.control.words import Lapse
from webui.rights import Right
from webui.routing import Asked, Moved, Refusal, Reply, Route
from webui.wording import said

_REFERENCE_LIMIT, _TEXT_LIMIT = 120, 300
"""As the keeper has them."""


def place_hold(asked: Asked) -> Reply:
    """Keep these days of these vaults beyond their term. Raises Refusal naming the field."""
    language = asked.language
    reference = _text(asked, "reference", _REFERENCE_LIMIT)
    vaults = asked.fields.get("vaults", ())
    if not vaults:
        raise Refusal(said(language, "Say what is to be held."), "vaults")
    first, last, until = (_day(asked, name) for name in ("first_day", "last_day", "until"))
    if last < first:
        raise Refusal(said(language, "The last day lies before the first."), "last_day")
    if until < _today(asked):
        raise Refusal(said(language, "This day has passed."), "until")
    if reference in {hold.reference for hold in asked.tell(AskRetention(), Retention).holds}:
        sentence = said(language, "This reference was used before. To prolong an order, add something to it.")
        raise Refusal(sentence, "reference")
    asked.tell(PlaceHold(reference, tuple(vaults), str(first), str(last), str(until)), Done)
    return Moved("/retention", said(language, "These days are held now: nothing of them is destroyed."))


def end_hold(asked: Asked) -> Reply:
    """Lift a hold before its date."""
    asked.tell(EndHold(asked.form.get("reference", "")), Done)
    return Moved("/retention", said(asked.language, "The hold has ended. Days past their term go next."))


def confirm_basis(asked: Asked) -> Reply:
    """State that a basis is in force, by which text. Raises Refusal naming the field."""
    first, last = _day(asked, "basis_first"), _day(asked, "basis_last")
    key = asked.form.get("basis", "")
    bases = asked.tell(AskRetention(), Retention).bases
    wrong = _wrong_period(asked, first, last, next((one for one in bases if one.key == key), None))
    if wrong:
        raise Refusal(wrong, "basis_last")
    asked.tell(ConfirmBasis(key, _text(asked, "text", _TEXT_LIMIT), str(first), str(last)), Done)
    return Moved("/retention", said(asked.language, "Thank you. The legal basis is confirmed."))


def set_lapse(asked: Asked) -> Reply:
    """What happens to a vault whose basis ends."""
    try:
        lapse = Lapse(asked.form.get("lapse", ""))
    except ValueError:
        raise Refusal(said(asked.language, "Choose one of the two."), "lapse") from None
    asked.tell(SetLapse(asked.form.get("vault", ""), lapse), Done)
    return Moved("/retention", said(asked.language, "The rule was changed."))


def _wrong_period(asked: Asked, first: dt.date, last: dt.date, basis: Basis | None) -> str:
    """Why a decree cannot be in force so long, empty if it can: told where it was typed."""
    if last < first:
        return said(asked.language, "The last day lies before the first.")
    if basis and (last - first).days >= basis.longest_days:
        return said(
            asked.language,
            "At most %(days)s days: the text is of one year. Confirm each year by its own text.",
            days=basis.longest_days,
        )
    if last < _today(asked):
        return said(asked.language, "This period has passed. Confirm the one that counts now.")
    return ""


def _today(asked: Asked) -> dt.date:
    return dt.datetime.fromtimestamp(asked.site.clock() / 1e9, dt.UTC).date()


def _text(asked: Asked, name: str, limit: int) -> str:
    text = asked.form.get(name, "").strip()
    if not text or not text.isprintable() or len(text) > limit:
        raise Refusal(
            said(asked.language, "Write one line of at most %(limit)s characters.", limit=limit), name
        )
    return text


def _day(asked: Asked, name: str) -> dt.date:
    try:
        return dt.date.fromisoformat(asked.form.get(name, ""))
    except ValueError:
        raise Refusal(said(asked.language, "A day is written like 2026-11-21."), name) from None


ROUTES: tuple[Route, ...] = (
    Route("POST", "/retention/hold", Right.CHANGE_HOLDS, place_hold, menu="retention", form="/retention"),
    Route("POST", "/retention/end-hold", Right.CHANGE_HOLDS, end_hold, menu="retention", form="/retention"),
    Route(
        "POST", "/retention/basis", Right.CONFIRM_BASIS, confirm_basis, menu="retention", form="/retention"
    ),
    Route("POST", "/retention/lapse", Right.CONFIRM_BASIS, set_lapse, menu="retention", form="/retention"),
)
