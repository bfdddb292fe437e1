"""Refusals: why central does not take an object, as far as the answer may tell it."""

from appliance.replication.targets import Refused


class Malformed(Refused):
    """What was sent has not the form of anything that a box sends."""


class NotAuthorised(Refused):
    """Unknown site, wrong signature, ended contract, code that is none: nobody learns which."""

    def __init__(self) -> None:
        super().__init__("central takes nothing from this sender; enrol the box, or ask the operator")


class TooLarge(Refused):
    """Larger than anything of its kind."""


class Unproven(Refused):
    """The bytes are not as claimed, or not what an object of this name must be."""
