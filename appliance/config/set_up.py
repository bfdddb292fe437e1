"""What a box and its page are set up from without a person at a screen: one TOML file as a frozen value."""

import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from appliance.config.values import (
    canonical_network,
    too_wide,
    wrong_custodians,
    wrong_interfaces,
    wrong_macs,
)
from appliance.model.errors import UsageError

_ACCESS_POINTS = 200


class Custody(Struct, frozen=True, forbid_unknown_fields=True):
    """`custodians` are public keys; a private one is refused."""

    custodians: tuple[str, ...]
    quorum: int = 2


class Administrator(Struct, frozen=True, forbid_unknown_fields=True):
    """The first account. The password stands here or on the first line of `password_file`, beside this file.

    `factor` is the secret of a second factor (base32) that exists already; one is drawn where it is empty.
    """

    name: str
    password: str = ""
    password_file: str = ""
    factor: str = ""


class Central(Struct, frozen=True, forbid_unknown_fields=True):
    """A central to enrol with. `fingerprint`: what its operator said, compared if it is given."""

    url: str
    code: str
    fingerprint: str = ""


class SetUpFile(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that the six screens ask for."""

    site: str
    client_networks: tuple[str, ...]
    custody: Custody
    administrator: Administrator
    interfaces: tuple[str, ...] = ()
    access_points: tuple[str, ...] = ()
    central: tuple[Central, ...] = ()


def read(path: Path) -> SetUpFile:
    """The file, checked. Raises UsageError naming file and key."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        told = msgspec.convert(tables, SetUpFile)
        told = msgspec.structs.replace(
            told, client_networks=tuple(map(canonical_network, told.client_networks))
        )
        password = _password(path, told.administrator)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}, or the password file that it names: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}; correct that line") from error
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"{path}: {error}; correct it") from error
    wrong = _wrong(told)
    if wrong:
        raise UsageError(f"{path}: {wrong}; correct it")
    administrator = msgspec.structs.replace(told.administrator, password=password, password_file="")
    return msgspec.structs.replace(told, administrator=administrator)


def _password(path: Path, administrator: Administrator) -> str:
    if not administrator.password_file:
        return administrator.password
    return (path.parent / administrator.password_file).read_text(encoding="utf-8").partition("\n")[0]


def _wrong(told: SetUpFile) -> str | None:
    """The first thing that cannot be meant, with its key."""
    custody = told.custody
    checks = (
        (
            "site",
            None if told.site.strip() and told.site.isprintable() else "the site needs a name on one line",
        ),
        ("client_networks", None if told.client_networks else "at least one network is needed"),
        ("client_networks", too_wide(told.client_networks)),
        ("custodians", wrong_custodians(custody.custodians)),
        ("custodians", None if len(custody.custodians) > 1 else "two custodians at least are needed"),
        ("quorum", None if 2 <= custody.quorum <= len(custody.custodians) else _quorum(custody)),
        ("interfaces", wrong_interfaces(told.interfaces)),
        ("access_points", wrong_macs(told.access_points, _ACCESS_POINTS)),
    )
    return next((f"{key}: {wrong}" for key, wrong in checks if wrong), None)


def _quorum(custody: Custody) -> str:
    return f"{custody.quorum} is not between 2 and the number of custodians, {len(custody.custodians)}"
