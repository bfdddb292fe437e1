"""Custodians at work: their key files, and day keys put together from their shares. Nothing here is kept."""

import datetime as dt
import getpass
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
from Crypto.Protocol.SecretSharing import Shamir

from appliance.model.errors import CustodyError, DestroyedError, HomeError
from appliance.vault import chain, envelopes
from appliance.vault.catalogue import Catalogue
from appliance.vault.custodians import read_passphrase
from appliance.vault.day_keys import DayKey
from appliance.vault.envelopes import Envelope, SealedShare
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import Init

_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_BINARY = b"age-encryption.org/v1"
_RESTORE = "restore the envelope from a copy of the home"


@dataclass(frozen=True)
class Identities:
    """The private keys of the custodians who have come, by their public key."""

    by_recipient: dict[str, pyrage.x25519.Identity] = field(repr=False)


def open_identities(paths: Sequence[Path], passphrase_files: Sequence[Path] = ()) -> Identities:
    """The age identities in some files.

    For a file under a passphrase each given passphrase is tried, then the person at the terminal is asked.
    Raises CustodyError.
    """
    passphrases = [read_passphrase(path) for path in passphrase_files]
    found: dict[str, pyrage.x25519.Identity] = {}
    for path in paths:
        for identity in _identities(path, passphrases):
            found[str(identity.to_public())] = identity
    return Identities(found)


def _identities(path: Path, passphrases: Sequence[str]) -> list[pyrage.x25519.Identity]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CustodyError(
            f"cannot read the key file {path}: {error.strerror}; check its name and owner"
        ) from error
    if content.lstrip().startswith(_ARMOR) or content.startswith(_BINARY):
        content = _unlocked(path, content, passphrases)
    try:
        lines = [line.strip() for line in content.decode("utf-8").splitlines() if not line.startswith("#")]
        identities = [pyrage.x25519.Identity.from_str(line) for line in lines if line]
    except (pyrage.IdentityError, UnicodeDecodeError):
        identities = []
    if not identities:
        raise CustodyError(
            f"{path} is not a custodian's key file; give the file that 'greffier custodian new' made"
        )
    return identities


def _unlocked(path: Path, content: bytes, passphrases: Sequence[str]) -> bytes:
    for passphrase in passphrases:
        try:
            return bytes(pyrage.passphrase.decrypt(content, passphrase))
        except pyrage.DecryptError:
            continue
    try:
        asked = getpass.getpass(f"passphrase of {path}: ")
        return bytes(pyrage.passphrase.decrypt(content, asked))
    except pyrage.DecryptError:
        raise CustodyError(
            f"the passphrase does not open {path}; try again, letters and blanks count"
        ) from None
    except EOFError:
        raise CustodyError(f"{path} is under a passphrase; give it with --passphrase-file") from None


class KeyOpener:
    """Opens envelopes of one home with the custodians' private keys; each key is opened once."""

    def __init__(self, home: Home, identities: Identities) -> None:
        self._home = home
        self._identities = identities
        self._opened: dict[str, DayKey] = {}
        self._box: str | None = None

    def open(self, vault: VaultName, day: dt.date, key_id: str) -> DayKey:
        """The day key. Raises CustodyError (too few or the wrong custodians), DestroyedError, HomeError."""
        key = self._opened.get(key_id)
        if key is None:
            key = self._opened[key_id] = self._open(vault, day, key_id)
        if (key.vault, key.day) != (vault, day):
            raise HomeError(
                f"the key {key_id} is not of {vault} {day}; 'greffier verify' shows what was changed"
            )
        return key

    def _open(self, vault: VaultName, day: dt.date, key_id: str) -> DayKey:
        path = self._home.envelopes(vault, day) / f"{key_id}.envelope"
        try:
            envelope = envelopes.parse(path.read_bytes(), self._public_key())
        except FileNotFoundError:
            raise self._missing(vault, day, key_id) from None
        except (OSError, ValueError) as error:
            raise HomeError(
                f"the envelope {path} {error}; 'greffier verify' shows what was changed"
            ) from None
        if (envelope.vault, envelope.day, envelope.key_id) != (vault, day, key_id):
            raise HomeError(
                f"the envelope {path} belongs to another day; 'greffier verify' shows what was changed"
            )
        return _put_together(envelope, self._shares(envelope))

    def _public_key(self) -> str:
        if self._box is None:
            first = chain.first(self._home)
            assert isinstance(first.body, Init)
            self._box = first.body.box
        return self._box

    def _missing(
        self, vault: VaultName, day: dt.date, key_id: str
    ) -> CustodyError | DestroyedError | HomeError:
        if key_id in Catalogue.of(chain.read(self._home)).ordered:
            return DestroyedError(
                f"the {vault} records of {day} were destroyed after their term and nobody can read them; "
                "ask for another period"
            )
        return HomeError(
            f"the envelope of {vault} {day} ({key_id}) is missing; 'greffier verify' shows what was changed"
        )

    def _shares(self, envelope: Envelope) -> list[tuple[SealedShare, bytes]]:
        """The shares these custodians can open, as many as needed."""
        opened: list[tuple[SealedShare, bytes]] = []
        for share in envelope.shares:
            identity = self._identities.by_recipient.get(share.recipient)
            if identity and len(opened) < envelope.quorum:
                try:
                    opened.append((share, bytes(pyrage.decrypt(share.sealed, [identity]))))
                except pyrage.DecryptError:
                    raise HomeError(
                        f"the share of {share.recipient} in {envelope.key_id} is damaged"
                    ) from None
        if len(opened) < envelope.quorum:
            raise CustodyError(
                f"{envelope.quorum} of the {len(envelope.shares)} custodians of {envelope.vault} "
                f"{envelope.day} must come together and {len(opened)} of them did; give more --identity"
            )
        return opened


def _put_together(envelope: Envelope, shares: Sequence[tuple[SealedShare, bytes]]) -> DayKey:
    names = {
        "format": envelopes.SHARE_FORMAT,
        "box": envelope.box,
        "vault": str(envelope.vault),
        "day": envelope.day.isoformat(),
        "key_id": envelope.key_id,
        "quorum": envelope.quorum,
    }
    points: tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]] = ([], [])
    for share, plaintext in shares:
        fields = json.loads(plaintext)
        halves = fields.pop("halves")
        if fields != names:
            raise HomeError(f"a share of {envelope.key_id} belongs to another envelope; {_RESTORE}")
        for point, half in zip(points, halves, strict=True):
            index, _, value = half.partition("-")
            if int(index) != share.index:
                raise HomeError(f"a share of {envelope.key_id} is out of place; {_RESTORE}")
            point.append((share.index, bytes.fromhex(value)))
    secret = b"".join(bytes(Shamir.combine(point, ssss=True)) for point in points)
    key = DayKey(envelope.vault, envelope.day, envelope.key_id, secret)
    if envelopes.commitment(envelope.box, key) != envelope.commitment:
        raise HomeError(f"the shares of {envelope.key_id} do not give its key; {_RESTORE}")
    return key
