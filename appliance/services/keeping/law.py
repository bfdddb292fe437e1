"""The law: what the operator says of it, holds, and what has to be told. Each change is a line of audit."""

import datetime as dt

from appliance.control.messages import Actor, ConfirmBasis, Done, EndHold, Finding, PlaceHold, SetLapse
from appliance.control.steps import Step
from appliance.control.words import Lapse, Level, Trouble
from appliance.model.errors import HomeError, UsageError
from appliance.model.instants import to_iso
from appliance.retention import holds, lawful
from appliance.retention.legal.calendar import Confirmation, Standing, State
from appliance.services.keeping.at_hand import AtHand, Change, Changes
from appliance.vault.names import VaultName
from appliance.vault.seals import Hold


def findings(at: AtHand) -> tuple[Finding, ...]:
    """What the overview has to say of the law: bases that end soon or have ended, vaults that are stopped."""
    now_ns = at.clock()
    try:
        said = lawful.read(at.home())
    except HomeError as error:
        return (Finding(Trouble.SETTINGS_BROKEN, Level.ATTENTION, "legal.toml", said=str(error)),)
    found = [
        _of_basis(one) for one in lawful.standings(said, now_ns) if one.must_confirm and _concerns_us(one)
    ]
    for vault in VaultName:
        for spell in lawful.stopped(said, vault):
            if spell.first_ns <= now_ns < spell.until_ns:
                since = to_iso(spell.first_ns)
                found.append(Finding(Trouble.VAULT_STOPPED, Level.ATTENTION, str(vault), since))
    return tuple(found)


def _concerns_us(standing: Standing) -> bool:
    return any(vault in standing.basis.vaults for vault in VaultName)


def _of_basis(standing: Standing) -> Finding:
    key, days = standing.basis.key, standing.days_left or 0
    if standing.state is State.LAPSING:
        return Finding(Trouble.BASIS_LAPSES, Level.ATTENTION, key, count=days)
    assert standing.last_day is not None
    since = to_iso(lawful.start_of(standing.last_day + dt.timedelta(days=1)))
    return Finding(Trouble.BASIS_LAPSED, Level.ATTENTION, key, since, -days)


def _place(at: AtHand, _: Actor, ask: PlaceHold) -> Done:
    vaults = tuple(_vault(name) for name in dict.fromkeys(ask.vaults))
    days = (_day(ask.first_day), _day(ask.last_day), _day(ask.until))
    try:
        hold = Hold(ask.reference, vaults, *days)
    except ValueError as error:
        raise UsageError(str(error)) from None
    scope = holds.place(at.home(), hold, at.clock)
    return Done(f"{scope.kept} days of vaults are kept; {scope.gone} had been destroyed before")


def _end(at: AtHand, _: Actor, ask: EndHold) -> Done:
    holds.end(at.home(), ask.reference, at.clock)
    return Done("the hold is lifted; its days go with their term again")


def _confirm(at: AtHand, actor: Actor, ask: ConfirmBasis) -> Done:
    lawful.confirm(
        at.home(),
        Confirmation(
            ask.basis, ask.text.strip(), _day(ask.first_day), _day(ask.last_day), actor.name, at.clock()
        ),
    )
    return Done("confirmed")


def _set_lapse(at: AtHand, _: Actor, ask: SetLapse) -> Done:
    lawful.set_lapse(at.home(), _vault(ask.vault), ask.lapse, at.clock)
    return Done("recorders obey within a second" if ask.lapse is Lapse.STOP else "it is recorded, and told")


def _vault(name: str) -> VaultName:
    try:
        return VaultName(name)
    except ValueError:
        raise UsageError(f"there is no vault '{name}' here; there are {', '.join(VaultName)}") from None


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text}' is not a day; write it like 2026-11-21") from None


def _days(ask: PlaceHold | ConfirmBasis) -> dict[str, str]:
    return {"first_day": ask.first_day, "last_day": ask.last_day}


CHANGES: Changes = {
    PlaceHold: Change(
        _place,
        Step.PLACE_HOLD,
        lambda ask: ask.reference,
        lambda ask: {"vaults": " ".join(ask.vaults), **_days(ask), "until": ask.until},
    ),
    EndHold: Change(_end, Step.END_HOLD, lambda ask: ask.reference),
    ConfirmBasis: Change(
        _confirm,
        Step.CONFIRM_BASIS,
        lambda ask: ask.basis,
        lambda ask: {"text": ask.text, **_days(ask)},
    ),
    SetLapse: Change(
        _set_lapse, Step.SET_LAPSE, lambda ask: ask.vault, lambda ask: {"lapse": str(ask.lapse)}
    ),
}
