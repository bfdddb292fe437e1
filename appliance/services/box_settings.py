"""Making a box's home, and changing its box.toml afterwards, with the comments that somebody wrote there."""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from appliance.config import box
from appliance.config.box import BoxConfig
from appliance.config.capture import CaptureConfig
from appliance.config.statistics import StatisticsConfig
from appliance.config.values import NETWORK_LIMIT, canonical_network, too_many
from appliance.model.errors import HomeError, StorageError, UsageError
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import write_once
from appliance.vault import homes
from appliance.vault.chain import Head
from appliance.vault.names import Home

LOCK = "box.lock"


@dataclasses.dataclass(frozen=True)
class NewBox:
    """A home that was made, its settings, and what to note apart from it."""

    home: Home
    config: BoxConfig
    head: Head
    fingerprint: str


def set_up(
    path: Path,
    site: str,
    custodians: Sequence[str],
    quorum: int | None,
    networks: Sequence[str],
    interfaces: Sequence[str] = (),
    access_points: Sequence[str] = (),
    clock: Clock = now_ns,
) -> NewBox:
    """Make a home. `quorum` None: 2, or 1 where there is one custodian.

    Raises UsageError for what cannot be meant; else as `homes.create`.
    """
    keys = tuple(text.strip() for text in custodians)
    try:
        config = BoxConfig(
            site.strip(),
            min(2, len(keys)) if quorum is None else quorum,
            keys,
            _canonical(networks),
            capture=CaptureConfig(tuple(interfaces)),
            statistics=StatisticsConfig(tuple(access_points)),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    return NewBox(*_created(path, config, clock))


def change(
    home: Home,
    networks: Sequence[str] | None = None,
    interfaces: Sequence[str] | None = None,
    access_points: Sequence[str] | None = None,
) -> None:
    """Give some settings other values; None: as it is. Whoever records follows at its next start.

    Raises UsageError for what cannot be meant, HomeError, StorageError; box.toml is as before then.
    """
    with locks.exclusive(home.state / LOCK):
        before = box.read(home.config)
        after = _changed(before, networks, interfaces, access_points)
        if after != before:
            write_once(home.config, _text(home, before, after).encode())
            _give_to_owner(home)


def check(
    home: Home,
    networks: Sequence[str] | None = None,
    interfaces: Sequence[str] | None = None,
    access_points: Sequence[str] | None = None,
) -> None:
    """Whether `change` would take them; nothing is written. Raises UsageError, HomeError."""
    _changed(box.read(home.config), networks, interfaces, access_points)


def _created(path: Path, config: BoxConfig, clock: Clock) -> tuple[Home, BoxConfig, Head, str]:
    home, head, fingerprint = homes.create(path, config, clock)
    return home, config, head, fingerprint


def _canonical(networks: Sequence[str]) -> tuple[str, ...]:
    """Each once. Raises ValueError, for too many before any is looked at."""
    wrong = too_many(networks, NETWORK_LIMIT, "networks")
    if wrong:
        raise ValueError(f"client_networks: {wrong}")
    return tuple(dict.fromkeys(canonical_network(text) for text in networks))


def _changed(
    config: BoxConfig,
    networks: Sequence[str] | None,
    interfaces: Sequence[str] | None,
    access_points: Sequence[str] | None,
) -> BoxConfig:
    """Raises UsageError('key: what is wrong')."""
    try:
        if networks is not None:
            config = dataclasses.replace(config, client_networks=_canonical(networks))
        if interfaces is not None:
            capture = dataclasses.replace(config.capture, interfaces=tuple(interfaces))
            config = dataclasses.replace(config, capture=capture)
        if access_points is not None:
            statistics = dataclasses.replace(config.statistics, access_points=tuple(access_points))
            config = dataclasses.replace(config, statistics=statistics)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return config


def _text(home: Home, before: BoxConfig, after: BoxConfig) -> str:
    """box.toml with other values in place. Raises HomeError where it is not what was just read."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(home.config.read_text(encoding="utf-8"))
        for section, key, old, new in (
            ("", "client_networks", before.client_networks, after.client_networks),
            ("capture", "interfaces", before.capture.interfaces, after.capture.interfaces),
            ("statistics", "access_points", before.statistics.access_points, after.statistics.access_points),
        ):
            if new != old:
                table = cast("dict[str, Any]", document.setdefault(section, {}) if section else document)
                # As one text: put in one after the other, thousands of them take seconds.
                table[key] = tomlkit.value(json.dumps(new, ensure_ascii=False))
    except (OSError, TOMLKitError, ValueError, TypeError) as error:
        raise HomeError(f"cannot change {home.config}; correct it by hand and try again") from error
    return tomlkit.dumps(document)


def _give_to_owner(home: Home) -> None:
    """What root changes is read by whoever the home belongs to. Raises StorageError."""
    owner = home.path.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (home.config, home.state / LOCK):
        try:
            os.chown(path, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise StorageError(f"cannot give {path} to the owner of the home: {error.strerror}") from error
