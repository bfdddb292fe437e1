"""Operators: the people who may end a contract at central. Each has an own key file; central.toml names them.

A key file is an Ed25519 key (PKCS #8, PEM), under a passphrase if its owner gave one: openssl reads it.
"""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.central.places import Central
from appliance.model.errors import CustodyError, UsageError
from appliance.runtime.files import write_once
from appliance.vault import signing
from appliance.vault.custodians import read_passphrase
from appliance.vault.signing import Signer


@dataclass(frozen=True)
class Operator:
    """One who has come with the key: by the name that central.toml gives it."""

    name: str
    signer: Signer


def new(path: Path, passphrase: str | None) -> str:
    """Make a key file; its public key. Raises UsageError if the file is there, StorageError."""
    if path.exists():
        raise UsageError(f"{path} is already there and a key is never written over; choose another name")
    key = signing.generate()
    if passphrase is None:
        content = signing.to_pem(key)
    else:
        content = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode("utf-8")),
        )
    write_once(path, content)
    return signing.signer(key).box


def come(central: Central, path: Path, passphrase_files: Sequence[Path] = ()) -> Operator:
    """The operator of a key file. Raises CustodyError for a key that cannot be used or that nobody named."""
    signer = _open(path, [read_passphrase(one) for one in passphrase_files])
    for name, public_key in central.config.operators.items():
        if public_key == signer.box:
            return Operator(name, signer)
    raise CustodyError(
        f"the key {path} is of no operator whom central.toml names; have its public key written there: "
        f"{signer.box}"
    )


def _open(path: Path, passphrases: Sequence[str]) -> Signer:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CustodyError(
            f"cannot read the key file {path}: {error.strerror}; check its name and owner"
        ) from error
    if b"ENCRYPTED" not in content:
        return _signer(path, content, None)
    for passphrase in passphrases:
        try:
            return _signer(path, content, passphrase)
        except CustodyError:
            continue
    try:
        return _signer(path, content, getpass.getpass(f"passphrase of {path}: "))
    except EOFError:
        raise CustodyError(f"{path} is under a passphrase; give it with --passphrase-file") from None


def _signer(path: Path, content: bytes, passphrase: str | None) -> Signer:
    secret = None if passphrase is None else passphrase.encode("utf-8")
    try:
        key = serialization.load_pem_private_key(content, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CustodyError(
            f"the key file {path} does not open; check the passphrase, letters and blanks count"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise CustodyError(f"{path} is not an operator's key; 'greffier central operator new' makes one")
    return signing.signer(key)
