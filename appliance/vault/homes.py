"""Homes: making one, and finding one that is there."""

from pathlib import Path

from appliance.config import box, text
from appliance.model.errors import HomeError, StorageError
from appliance.runtime import custodian_keys
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import make_folder, write_once
from appliance.vault import signing
from appliance.vault.chain import Chain, Head
from appliance.vault.names import Home
from appliance.vault.seals import Init


def existing(path: Path) -> Home:
    """The home in a folder. Raises HomeError if there is none."""
    home = Home(path)
    for needed in (home.config, home.chain):
        try:
            present = needed.is_file()
        except OSError as error:
            raise HomeError(f"cannot look into {path}: {error.strerror}; check who owns it") from error
        if not present:
            raise HomeError(
                f"{path} is not the home of a box: {needed.name} is missing; make one with 'greffier init'"
            )
    return home


def create(path: Path, config: box.BoxConfig, clock: Clock = now_ns) -> tuple[Home, Head, str]:
    """A new home with its settings, its key and the first line of its chain; its head, the fingerprint.

    Raises HomeError if the folder is there and not empty, CustodyError for a mistyped key, StorageError.
    """
    for recipient in config.custodians:
        custodian_keys.check_recipient(recipient)
    home = Home(path)
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise HomeError(f"{path} is already there and a home is never overwritten; choose another folder")
        make_folder(path)
        path.chmod(0o700)
        make_folder(home.state)
    except OSError as error:
        raise StorageError(
            f"cannot make {path}: {error.strerror}; choose a folder you may write to"
        ) from error
    key = signing.generate()
    write_once(home.signing_key, signing.to_pem(key))
    write_once(home.config, text.render(config).encode("utf-8"))
    signer = signing.signer(key)
    first = Chain(home, signer, clock).begin(Init(config.site, signer.box, config.custodians, config.quorum))
    return home, Head(first.seq, first.hash), signer.fingerprint
