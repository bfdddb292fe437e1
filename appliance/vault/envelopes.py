"""Envelopes: the only form in which a day key is ever stored. FORMAT.md specifies them to the byte.

The key's two halves are each split by Shamir's scheme (as `ssss` does, without its diffusion layer); each
custodian's pair of shares is an age file that only this custodian opens. Fewer than `quorum` custodians
learn nothing, not even by computing for ever. Opening is `vault.unseal.custody`.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from Crypto.Protocol.SecretSharing import Shamir

from appliance.vault import canonical, custodians, signing
from appliance.vault.day_keys import DayKey
from appliance.vault.names import VaultName

FORMAT = "greffier envelope 1"
SHARE_FORMAT = "greffier share 1"
PURPOSE = b"greffier envelope 1"
_HALF = 16


@dataclass(frozen=True)
class SealedShare:
    """One custodian's share, as an age file for `recipient`; `index` is the x coordinate, 1 to 255."""

    recipient: str
    index: int
    sealed: bytes


@dataclass(frozen=True)
class Envelope:
    """A parsed envelope. `box` is the fingerprint of the box that made it."""

    box: str
    vault: VaultName
    day: dt.date
    key_id: str
    run: str
    quorum: int
    commitment: str
    shares: tuple[SealedShare, ...]


def seal_key(key: DayKey, run: str, recipients: Sequence[str], quorum: int, signer: signing.Signer) -> bytes:
    """The envelope's whole file: `key`, drawn by `run`, for custodians any `quorum` of whom can open it."""
    halves = [
        Shamir.split(quorum, len(recipients), key.secret[start : start + _HALF], ssss=True)
        for start in (0, _HALF)
    ]
    box = signer.fingerprint
    names = {"box": box, "vault": str(key.vault), "day": key.day.isoformat(), "key_id": key.key_id}
    shares = []
    for recipient, (index, low), (_, high) in zip(recipients, *halves, strict=True):
        pair = [f"{index}-{low.hex()}", f"{index}-{high.hex()}"]
        plaintext = (
            canonical.encode({"format": SHARE_FORMAT, **names, "quorum": quorum, "halves": pair}) + b"\n"
        )
        sealed = base64.b64encode(custodians.encrypt_to(recipient, plaintext)).decode("ascii")
        shares.append({"recipient": recipient, "index": index, "sealed": sealed})
    fields: dict[str, Any] = {"format": FORMAT, **names, "run": run, "quorum": quorum}
    fields |= {"commitment": commitment(box, key), "shares": shares}
    fields["signature"] = signer.sign(PURPOSE, canonical.encode(fields))
    return canonical.encode(fields) + b"\n"


def commitment(box: str, key: DayKey) -> str:
    """What proves, once a key is put together, that it is the right one; it tells nothing before."""
    message = f"greffier commitment 1\n{box}\n{key.vault}\n{key.day.isoformat()}\n{key.key_id}"
    return hmac.new(key.secret, message.encode("ascii"), hashlib.sha256).hexdigest()


def parse(content: bytes, box: str) -> Envelope:
    """An envelope signed by the box of this public key; ValueError saying what is wrong with it."""
    if not content.endswith(b"\n"):
        raise ValueError("does not end with a newline")
    fields = canonical.decode(content[:-1])
    signature = fields.pop("signature", None)
    if not isinstance(signature, str) or not signing.holds(box, PURPOSE, canonical.encode(fields), signature):
        raise ValueError("is not signed by this box")
    if fields.get("format") != FORMAT:
        raise ValueError(f"is of the unknown format {fields.get('format')!r}")
    try:
        return Envelope(
            fields["box"],
            VaultName(fields["vault"]),
            dt.date.fromisoformat(fields["day"]),
            fields["key_id"],
            fields["run"],
            int(fields["quorum"]),
            fields["commitment"],
            tuple(_share(share) for share in fields["shares"]),
        )
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"misses a field or has it in a wrong form ({error})") from None


def _share(fields: dict[str, Any]) -> SealedShare:
    return SealedShare(
        fields["recipient"], int(fields["index"]), base64.b64decode(fields["sealed"], validate=True)
    )
