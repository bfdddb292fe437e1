"""The law: what the operator says of it, holds, and what has to be told. Each change is a line of audit."""

import datetime as dt
from collections.abc import Collection

from appliance.control.messages import Actor, ConfirmBasis, Done, EndHold, Finding, PlaceHold, SetLapse
from appliance.control.steps import Step
from appliance.control.words import Lapse, Level, Trouble
from appliance.model.errors import HomeError, UsageError
from appliance.model.instants import day_of, to_iso
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
    stopped = {
        str(vault): to_iso(spell.first_ns)
        for vault in VaultName
        for spell in lawful.stopped(said, vault)
        if spell.first_ns <= now_ns < spell.until_ns
    }
    standings = [one for one in lawful.standings(said, now_ns) if one.must_confirm and _goes_on(one, stopped)]
    return (
        *(Finding(Trouble.VAULT_STOPPED, Level.FAILING, vault, since) for vault, since in stopped.items()),
        *map(_of_basis, standings),
    )


def _goes_on(standing: Standing, stopped: Collection[str]) -> bool:
    """Whether this box records anything on that basis: of what is stopped it is told that it is stopped."""
    return any(vault in standing.basis.vaults and vault not in stopped for vault in VaultName)


def _of_basis(standing: Standing) -> Finding:
    key, days = standing.basis.key, standing.days_left or 0
    if standing.state is State.LAPSING:
        return Finding(Trouble.BASIS_LAPSES, Level.ATTENTION, key, count=days)
    assert standing.last_day is not None
    since = to_iso(lawful.start_of(standing.last_day + dt.timedelta(days=1)))
    return Finding(Trouble.BASIS_LAPSED, Level.ATTENTION, key, since, -days)


def _hold(ask: PlaceHold) -> Hold:
    vaults = tuple(_vault(name) for name in dict.fromkeys(ask.vaults))
    days = (_day(ask.first_day), _day(ask.last_day), _day(ask.until))
    try:
        return Hold(ask.reference, vaults, *days)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _place(at: AtHand, _: Actor, ask: PlaceHold) -> Done:
    scope = holds.place(at.home(), _hold(ask), at.clock)
    return Done(f"{scope.kept} days of vaults are kept; {scope.gone} had been destroyed before")


def _end(at: AtHand, _: Actor, ask: EndHold) -> Done:
    holds.end(at.home(), ask.reference, at.clock)
    return Done("the hold is lifted; its days go with their term again")


def _confirmation(at: AtHand, actor: Actor, ask: ConfirmBasis) -> Confirmation:
    days = (_day(ask.first_day), _day(ask.last_day))
    return Confirmation(ask.basis, ask.text.strip(), *days, actor.name, at.clock())


def _confirm(at: AtHand, actor: Actor, ask: ConfirmBasis) -> Done:
    lawful.confirm(at.home(), _confirmation(at, actor, ask))
    return Done("confirmed")


def _check_end(at: AtHand, _: Actor, ask: EndHold) -> None:
    holds.found(at.chain().catalogue, ask.reference)


def _check_lapse(_: AtHand, __: Actor, ask: SetLapse) -> None:
    _vault(ask.vault)


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
        lambda at, _, ask: holds.check_new(at.chain().catalogue, _hold(ask), day_of(at.clock())),
    ),
    EndHold: Change(_end, Step.END_HOLD, lambda ask: ask.reference, check=_check_end),
    ConfirmBasis: Change(
        _confirm,
        Step.CONFIRM_BASIS,
        lambda ask: ask.basis,
        lambda ask: {"text": ask.text, **_days(ask)},
        lambda at, actor, ask: lawful.check(_confirmation(at, actor, ask)),
    ),
    SetLapse: Change(
        _set_lapse,
        Step.SET_LAPSE,
        lambda ask: ask.vault,
        lambda ask: {"lapse": str(ask.lapse)},
        _check_lapse,
    ),
}
