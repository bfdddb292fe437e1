"""Custodians: the public keys a box encrypts to, and a custodian's own key as a file."""

import datetime as dt
import os
from pathlib import Path

import pyrage

from appliance.model.errors import CustodyError, StorageError, UsageError
from appliance.runtime import custodian_keys
from appliance.runtime.custodian_keys import check_recipient
from appliance.runtime.files import sync_folder, write_all


def encrypt_to(recipient: str, plaintext: bytes) -> bytes:
    """An age file (binary) for one custodian."""
    return bytes(pyrage.encrypt(plaintext, [pyrage.x25519.Recipient.from_str(check_recipient(recipient))]))


def new_key_file(path: Path, passphrase: str | None, now: dt.datetime) -> str:
    """Draw a custodian's key, write its file (owner only, never over another file), return the public key.

    With a passphrase the file is itself encrypted by age (scrypt). Raises UsageError, StorageError.
    """
    recipient, content = custodian_keys.draw(passphrase, now)
    _write_new(path, content)
    return recipient


def read_passphrase(path: Path) -> str:
    """The passphrase on a file's first line. Raises CustodyError."""
    try:
        return path.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        raise CustodyError(f"cannot read a passphrase from {path}; put it on the file's first line") from None


def _write_new(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UsageError(
            f"{path} is already there and a key is never overwritten; choose another name"
        ) from None
    except OSError as error:
        raise StorageError(
            f"cannot create {path}: {error.strerror}; choose a folder you may write to"
        ) from error
    try:
        write_all(handle, content)
        os.fsync(handle)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror}; free or repair the disk") from error
    finally:
        os.close(handle)
    sync_folder(path.parent)
