"""The centrals that a home knows: one folder each, with who it is and where, as enrolment left them."""

from dataclasses import dataclass
from pathlib import Path

from appliance.model.errors import HomeError
from appliance.replication import identity as identities
from appliance.replication.identity import CentralIdentity
from appliance.runtime.files import write_many
from appliance.vault import canonical
from appliance.vault.names import Home

LOCK = "lock"
"""Held in the folder of a central by whoever writes the account of it."""

_IDENTITY, _ADDRESS = "central.json", "target.json"
_DIGITS = 16


@dataclass(frozen=True)
class Enrolled:
    """One central of a home: its folder there, who it is, and the URL it is reached at."""

    folder: Path
    identity: CentralIdentity
    url: str


def enrolled(home: Home) -> list[Enrolled]:
    """The centrals of a home, by their folders' names. Raises HomeError for one that cannot be read."""
    try:
        folders = sorted(path.parent for path in home.replication.glob(f"*/{_IDENTITY}"))
    except OSError as error:
        raise HomeError(
            f"cannot look into {home.replication}: {error.strerror}; check who owns it"
        ) from error
    return [_read(folder) for folder in folders]


def keep(home: Home, identity: CentralIdentity, url: str) -> Enrolled:
    """Make a central known to a home, or its URL another; durable on return. Raises StorageError."""
    folder = home.replication / identity.fingerprint[:_DIGITS]
    address = canonical.encode({"url": url}) + b"\n"
    write_many(((folder / _ADDRESS, address), (folder / _IDENTITY, identity.render())))
    return Enrolled(folder, identity, url)


def _read(folder: Path) -> Enrolled:
    try:
        identity = identities.parse((folder / _IDENTITY).read_bytes())
        url = canonical.decode((folder / _ADDRESS).read_bytes().removesuffix(b"\n")).get("url")
    except OSError as error:
        raise HomeError(f"cannot read {folder}: {error.strerror}; 'greffier enrol' once more") from error
    except ValueError as error:
        raise HomeError(f"{folder} {error}; 'greffier enrol' once more") from None
    if not isinstance(url, str) or identity.fingerprint[:_DIGITS] != folder.name:
        raise HomeError(f"{folder} is not as enrolment left it; 'greffier enrol' once more")
    return Enrolled(folder, identity, url)
