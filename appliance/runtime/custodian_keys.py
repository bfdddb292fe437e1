"""A custodian's key: how it is drawn, what its file says, and how a public key is checked. Writes nothing.

A key file is an age identity (X25519), so that `age` and every tool that reads its format opens it too.
"""

import datetime as dt
from typing import NamedTuple

import pyrage

from appliance.model.errors import CustodyError, UsageError


class NewKey(NamedTuple):
    """The public key, and the content of the file that holds the private one."""

    recipient: str
    content: bytes


def check_recipient(text: str) -> str:
    """A custodian's public key, trimmed; CustodyError if mistyped (the key carries a checksum)."""
    recipient = text.strip()
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise CustodyError(
            f"'{recipient}' is not a custodian's public key; copy what 'greffier custodian new' printed"
        ) from None
    return recipient


def draw(passphrase: str | None, now: dt.datetime) -> NewKey:
    """Draw a custodian's key. With a passphrase its file is itself encrypted by age (scrypt, about 1 s).

    Raises UsageError for an empty passphrase.
    """
    if passphrase == "":
        raise UsageError("the passphrase is empty; give one, or leave --passphrase-file away")
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    text = f"# created: {now.isoformat(timespec='seconds')}\n# public key: {recipient}\n{identity}\n"
    content = text.encode("ascii")
    if passphrase is not None:
        content = bytes(pyrage.passphrase.encrypt(content, passphrase, armored=True))
    return NewKey(recipient, content)
