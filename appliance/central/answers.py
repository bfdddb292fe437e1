"""What a box is told when central does not take something: a status and no word. PROTOCOL.md lists them."""

import errno
from dataclasses import dataclass
from http import HTTPStatus

from peewee import PeeweeException

from appliance.central.refusals import Malformed, NotAuthorised, TooLarge
from appliance.central.tallies import Reason
from appliance.model.errors import CentralError, StorageError
from appliance.replication import targets

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status of HTTP, and the reason that is counted."""

    status: HTTPStatus
    reason: Reason


class BrokenOff(targets.Unreachable):
    """The sender went before it had sent all: no answer reaches it."""


_BY_KIND: tuple[tuple[type[Exception], Refusal], ...] = (
    (targets.Conflict, Refusal(HTTPStatus.CONFLICT, Reason.CONFLICT)),
    (targets.Replaced, Refusal(HTTPStatus.GONE, Reason.REPLACED)),
    (targets.TooEarly, Refusal(HTTPStatus.PRECONDITION_FAILED, Reason.TOO_EARLY)),
    (Malformed, Refusal(HTTPStatus.BAD_REQUEST, Reason.MALFORMED)),
    (NotAuthorised, Refusal(HTTPStatus.FORBIDDEN, Reason.NOT_AUTHORISED)),
    (TooLarge, Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Reason.TOO_LARGE)),
    (targets.Refused, Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.NOT_AS_CLAIMED)),
    (BrokenOff, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.BROKEN_OFF)),
    (targets.Unreachable, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.BUSY)),
    (CentralError, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.BUSY)),
    (PeeweeException, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.BUSY)),
    (ValueError, Refusal(HTTPStatus.BAD_REQUEST, Reason.MALFORMED)),
)
"""The first kind that an error is of counts."""


def refusal_of(error: Exception) -> Refusal:
    """What an error raised by central's rooms becomes."""
    if isinstance(error, StorageError):
        return _of_storage(error)
    for kind, refusal in _BY_KIND:
        if isinstance(error, kind):
            return refusal
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, Reason.DEFECT)


def _of_storage(error: BaseException) -> Refusal:
    """A disk that is full stays so until somebody makes room; any other trouble may pass."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return Refusal(HTTPStatus.INSUFFICIENT_STORAGE, Reason.DISK_FULL)
        seen = seen.__cause__
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.BUSY)
