"""What was told becomes a box and its first account, in this order: without a home nobody can sign in."""

import contextlib
from collections.abc import Iterable
from dataclasses import replace

from appliance.control.messages import AskBox, Box, Done, NoteStep, SetUp
from appliance.control.steps import Step
from appliance.model.errors import HomeError, StorageError
from webui.accounts.passwords import Busy
from webui.pages.setup.course import change, refused, tell
from webui.pages.setup.draft import Custodian, Draft, Made
from webui.routing import Asked, Refusal


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


def make_home(asked: Asked, draft: Draft) -> Draft:
    """The box's home, by the keeper. The custodians' private keys are forgotten. Raises Refusal.

    What can be told afterwards as well, who they are and whose key was made here, stops nothing.
    """
    place = draft.place
    if place is None:
        raise ValueError("there is no site yet")
    recipients = tuple(one.recipient for one in draft.custodians)
    asked_for = SetUp(place.site, place.networks, recipients, draft.quorum, place.interfaces)
    tell(asked, draft, asked_for, Done)
    for one in draft.custodians:
        if one.made_here:
            with contextlib.suppress(Refusal):
                tell(asked, draft, NoteStep(Step.MAKE_CUSTODIANS, one.name), Done)
    _name(asked, draft.custodians)
    return change(asked, lambda told: replace(told, made=told.made | Made.HOME, custodians=()))


def _name(asked: Asked, custodians: Iterable[Custodian]) -> None:
    """Whom to call when a requisition comes stands on the page afterwards."""
    with contextlib.suppress(ValueError, HomeError, StorageError):
        asked.site.settings.change(custodians={one.recipient: one.name for one in custodians})


def make_account(asked: Asked, draft: Draft) -> Draft:
    """The administrator's account. Password, secret and recovery codes are forgotten here. Raises Refusal."""
    administrator, factor = draft.administrator, draft.factor
    if administrator is None or factor is None or factor.step is None:
        raise ValueError("there is no administrator yet")
    try:
        asked.site.accounts.make_first(
            administrator.name, administrator.password, factor.secret, factor.step, factor.recovery_codes
        )
    except (Busy, StorageError):
        raise refused(asked, _("The box is busy. Try again in a moment.")) from None
    asked.site.accounts.set_client(asked.tell(AskBox(), Box).site)
    nameless = replace(administrator, password="")
    return change(
        asked,
        lambda told: replace(told, made=told.made | Made.ACCOUNT, administrator=nameless, factor=None),
    )
