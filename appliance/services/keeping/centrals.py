"""Making a central known: who answers is shown to a person, and only what he agreed to is enrolled."""

from appliance.config import box
from appliance.config.replication import ReplicationConfig
from appliance.control.messages import Actor, AskCentral, CentralIdentity, Done, EnrolCentral
from appliance.control.steps import Step
from appliance.model.errors import UsageError
from appliance.replication import enrolling, identity
from appliance.replication.identity import EnrolmentCode
from appliance.services.keeping import copies
from appliance.services.keeping.at_hand import AtHand, Change, Changes, Handlers


def _central(at: AtHand, _: Actor, ask: AskCentral) -> CentralIdentity:
    config = box.read(at.home().config).replication if at.is_set_up else ReplicationConfig()
    found = enrolling.identity_at(ask.url, config)
    return CentralIdentity(found.name, found.fingerprint)


def _enrol(at: AtHand, _: Actor, ask: EnrolCentral) -> Done:
    central = enrolling.enrol(at.home(), ask.url, _code(ask), fingerprint=ask.fingerprint)
    copies.forget(at)
    return Done(f"this box is enrolled with the central {central.name}")


def _code(ask: EnrolCentral) -> EnrolmentCode:
    try:
        return identity.parse_code(ask.code)
    except ValueError as error:
        raise UsageError(f"what was typed {error}") from None


def _check(_: AtHand, __: Actor, ask: EnrolCentral) -> None:
    _code(ask)


HANDLERS: Handlers = {AskCentral: _central}
CHANGES: Changes = {
    EnrolCentral: Change(
        _enrol,
        Step.ENROL_CENTRAL,
        lambda ask: str(ask.url),
        lambda ask: {"fingerprint": ask.fingerprint},
        _check,
    )
}
