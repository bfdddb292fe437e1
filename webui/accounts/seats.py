"""How far a browser is on its way in. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from webui.rights import Person


class Stage(StrEnum):
    """What is still to be done; every stage has a session of its own, with a secret of its own."""

    FACTOR = "factor"
    """The password was right; the second factor's code is not given yet."""
    RENEWAL = "renewal"
    """Another password must be chosen first."""
    ENROLMENT = "enrolment"
    """A second factor must be set up first."""
    IN = "in"


@dataclass(frozen=True)
class Seat:
    """A session: `person` only when all stages are done."""

    number: str
    user: int
    name: str
    stage: Stage
    person: Person | None


def stage_after_password(has_factor: bool, must_renew: bool) -> Stage:
    """What follows a right password."""
    return Stage.FACTOR if has_factor else stage_after_factor(has_factor, must_renew)


def stage_after_factor(has_factor: bool, must_renew: bool) -> Stage:
    """What follows a right code, or there being none yet."""
    if must_renew:
        return Stage.RENEWAL
    return Stage.IN if has_factor else Stage.ENROLMENT
