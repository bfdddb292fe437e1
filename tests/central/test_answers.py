"""Which status an error becomes: the table of PROTOCOL.md, and nothing of its text."""

import errno

import pytest
from peewee import IntegrityError, OperationalError

from appliance.central import refusals
from appliance.central.answers import BrokenOff, refusal_of
from appliance.model.errors import CentralError, StorageError
from appliance.replication import targets


def storage(number: int) -> StorageError:
    error = StorageError("cannot write")
    error.__cause__ = OSError(number, "said by the system")
    return error


@pytest.mark.parametrize(("error", "status"), [
    (ValueError("is not a claim"), 400),
    (refusals.Malformed("x"), 400),
    (refusals.NotAuthorised(), 403),
    (targets.Conflict("x"), 409),
    (targets.Replaced("x"), 410),
    (targets.TooEarly("x"), 412),
    (refusals.TooLarge("x"), 413),
    (refusals.Unproven("x"), 422),
    (targets.Refused("x"), 422),
    (targets.Unreachable("x"), 503),
    (BrokenOff("x"), 503),
    (CentralError("x"), 503),
    (OperationalError("database is locked"), 503),
    (IntegrityError("x"), 503),
    (storage(errno.ENOSPC), 507),
    (storage(errno.EDQUOT), 507),
    (storage(errno.EIO), 503),
    (StorageError("x"), 503),
    (KeyError("x"), 500),
    (MemoryError(), 500),
])  # fmt: skip
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    assert refusal_of(error).status == status
