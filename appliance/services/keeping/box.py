"""What the box is, and how it comes to be: its settings, asked for, made and changed."""

import functools
from importlib.metadata import version

from appliance.config.values import too_wide
from appliance.control.messages import Actor, AskBox, Box, ChangeBox, Done, SetUp
from appliance.control.steps import Step
from appliance.model.errors import HomeError, UsageError
from appliance.services import box_settings
from appliance.services.keeping.at_hand import AtHand, Change, Changes, Handlers
from appliance.services.keeping.standing import settings
from appliance.vault import signing
from appliance.vault.seals import Init


def _box(at: AtHand, _: Actor, __: AskBox) -> Box:
    if not at.is_set_up:
        return Box(False, "", "", "", _version(), (), (), (), (), 0, {})
    config = settings(at)
    chain = at.chain()
    first = chain.entries[0].body
    return Box(
        True,
        config.site,
        signing.fingerprint(first.box) if isinstance(first, Init) else "",
        str(chain.head),
        _version(),
        config.client_networks,
        config.capture.interfaces,
        config.statistics.access_points,
        config.custodians,
        config.quorum,
        dict(config.term_years),
    )


def set_up(at: AtHand, ask: SetUp) -> Done:
    """Make the home. Raises HomeError where there is one, UsageError for what cannot be meant."""
    if at.is_set_up:
        raise HomeError("this box is set up already; its settings are changed on the page, or in box.toml")
    _check_width(ask.networks)
    made = box_settings.set_up(
        at.path,
        ask.site,
        ask.custodians,
        ask.quorum,
        ask.networks,
        ask.interfaces,
        ask.access_points,
        at.clock,
    )
    return Done(f"the box of {made.config.site} is made; its fingerprint is {made.fingerprint}")


@functools.cache
def _version() -> str:
    """Read once: it takes longer than all the rest."""
    return version("greffier")


def _change(at: AtHand, _: Actor, ask: ChangeBox) -> Done:
    box_settings.change(at.home(), ask.networks, ask.interfaces, ask.access_points)
    return Done("changed; whoever records follows at its next start")


def _check(at: AtHand, _: Actor, ask: ChangeBox) -> None:
    box_settings.check(at.home(), ask.networks, ask.interfaces, ask.access_points)
    _check_width(ask.networks or ())


def _check_width(networks: tuple[str, ...]) -> None:
    """Who must have every address of the Internet for a client writes it into box.toml. Raises UsageError."""
    wrong = too_wide(networks)
    if wrong:
        raise UsageError(f"client_networks: {wrong}")


def _changes(ask: ChangeBox) -> dict[str, str]:
    named = {"networks": ask.networks, "interfaces": ask.interfaces, "access_points": ask.access_points}
    return {name: ", ".join(values) for name, values in named.items() if values is not None}


HANDLERS: Handlers = {AskBox: _box}
CHANGES: Changes = {ChangeBox: Change(_change, Step.CHANGE_BOX, details=_changes, check=_check)}
