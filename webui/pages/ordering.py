"""What is changed about retention: holds placed and ended, bases confirmed, what happens when one lapses."""

import datetime as dt

from appliance.control.messages import ConfirmBasis, Done, EndHold, PlaceHold, SetLapse
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
    asked.tell(PlaceHold(reference, tuple(vaults), str(first), str(last), str(until)), Done)
    return Moved("/retention", said(language, "These days are held now: nothing of them is destroyed."))


def end_hold(asked: Asked) -> Reply:
    """Lift a hold before its date."""
    asked.tell(EndHold(asked.form.get("reference", "")), Done)
    return Moved("/retention", said(asked.language, "The hold has ended. Days past their term go next."))


def confirm_basis(asked: Asked) -> Reply:
    """State that a basis is in force, by which text. Raises Refusal naming the field."""
    first, last = _day(asked, "basis_first"), _day(asked, "basis_last")
    if last < first:
        raise Refusal(said(asked.language, "The last day lies before the first."), "basis_last")
    basis = asked.form.get("basis", "")
    asked.tell(ConfirmBasis(basis, _text(asked, "text", _TEXT_LIMIT), str(first), str(last)), Done)
    return Moved("/retention", said(asked.language, "Thank you. The legal basis is confirmed."))


def set_lapse(asked: Asked) -> Reply:
    """What happens to a vault whose basis ends."""
    try:
        lapse = Lapse(asked.form.get("lapse", ""))
    except ValueError:
        raise Refusal(said(asked.language, "Choose one of the two."), "lapse") from None
    asked.tell(SetLapse(asked.form.get("vault", ""), lapse), Done)
    return Moved("/retention", said(asked.language, "The rule was changed."))


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
