"""box.toml: what the owner of a site decides, as one frozen value. Errors name the key and the line."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from appliance.config.capture import CaptureConfig
from appliance.config.inventory import InventoryConfig
from appliance.config.listen import PORTS, ListenConfig
from appliance.config.replication import ReplicationConfig
from appliance.config.statistics import StatisticsConfig
from appliance.config.values import canonical_network, outside, wrong_custodians, wrong_networks
from appliance.model.errors import HomeError

# One calendar year: CPCE L.34-1 II bis 3 and R.10-13 IV (source), L.34-1 III and R.10-13 V (traffic).
LEGAL_TERM_YEARS: Mapping[str, int] = MappingProxyType({"traffic": 1, "source": 1})


@dataclass(frozen=True)
class BoxConfig:
    """A box's settings. `custodians` are age recipients, `client_networks` CIDRs in canonical text.

    `flow_limit` bounds the connections followed at once, `row_limit` the rows held before an early seal.
    """

    site: str
    quorum: int
    custodians: tuple[str, ...]
    client_networks: tuple[str, ...]
    idle_timeout_s: int = 60
    active_timeout_s: int = 60
    flow_limit: int = 1_000_000
    row_limit: int = 1_000_000
    term_years: Mapping[str, int] = field(default_factory=lambda: LEGAL_TERM_YEARS)
    capture: CaptureConfig = field(default_factory=CaptureConfig)
    statistics: StatisticsConfig = field(default_factory=StatisticsConfig)
    listen: ListenConfig = field(default_factory=ListenConfig)
    inventory: InventoryConfig = field(default_factory=InventoryConfig)
    replication: ReplicationConfig = field(default_factory=ReplicationConfig)

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong') for a value that cannot be meant."""
        for key, check in _CHECKS.items():
            wrong = check(self, getattr(self, key))
            if wrong:
                raise ValueError(f"{key}: {wrong}")


def _check_quorum(config: BoxConfig, quorum: int) -> str | None:
    if not 1 <= quorum <= len(config.custodians):
        return f"{quorum} is not between 1 and the number of custodians, {len(config.custodians)}"
    return None


def _check_clients(_: BoxConfig, networks: tuple[str, ...]) -> str | None:
    if not networks:
        return "at least one network is needed, else no side of a connection is the client"
    return wrong_networks(networks)


def _between(low: int, high: int) -> Callable[[BoxConfig, int], str | None]:
    return lambda _, value: outside(value, low, high)


def _check_terms(_: BoxConfig, terms: Mapping[str, int]) -> str | None:
    if set(terms) != set(LEGAL_TERM_YEARS):
        return f"the vaults are {', '.join(LEGAL_TERM_YEARS)}"
    wrong = [vault for vault, years in terms.items() if not 1 <= years <= 10]
    return f"{wrong[0]} is not between 1 and 10 years" if wrong else None


_CHECKS: Mapping[str, Callable[[BoxConfig, Any], str | None]] = {
    "site": lambda _, site: (
        None if site.strip() and site.isprintable() else "the site needs a name on one line"
    ),
    "custodians": lambda _, custodians: wrong_custodians(custodians),
    "quorum": _check_quorum,
    "client_networks": _check_clients,
    # Parts of a connection are merged when read if at most 60 s apart: a longer silence would split them.
    "idle_timeout_s": _between(1, 60),
    "active_timeout_s": _between(1, 60),
    "flow_limit": _between(1_000, 100_000_000),
    "row_limit": _between(1_000, 100_000_000),
    "term_years": _check_terms,
}

_TEXTS, _NUMBERS = "a list of texts", "a list of numbers"
_TEXT, _NUMBER, _CHOICE = "a text in quotes", "a number", "true or false"
_LISTS: Mapping[str, type] = {_TEXTS: str, _NUMBERS: int}
_PLAIN: Mapping[str, type] = {_TEXT: str, _NUMBER: int, _CHOICE: bool}

_SECTIONS: Mapping[str, Mapping[str, str]] = {
    "": {"site": _TEXT, "client_networks": _TEXTS},
    "custody": {"quorum": _NUMBER, "custodians": _TEXTS},
    "capture": {
        "interfaces": _TEXTS,
        "vxlan_ports": _NUMBERS,
        "tunnel_ends": _TEXTS,
        "record_own_traffic": _CHOICE,
        "silent_alarm_minutes": _NUMBER,
        "ring_mib": _NUMBER,
    },
    "listen": {
        "address": _TEXT,
        **dict.fromkeys(PORTS, _NUMBERS),
        **dict.fromkeys(("receive_buffer_mib", "waiting_mib", "connections", "connections_each"), _NUMBER),
    },
    "recording": dict.fromkeys(("idle_timeout_s", "active_timeout_s", "flow_limit", "row_limit"), _NUMBER),
    "statistics": {"access_points": _TEXTS, "keep_days": _NUMBER},
    "inventory": {
        "ranges": _TEXTS,
        "requests_per_second": _NUMBER,
        **dict.fromkeys(
            (
                "community",
                "user",
                "authentication",
                "authentication_passphrase",
                "privacy",
                "privacy_passphrase",
            ),
            _TEXT,
        ),
    },
    "replication": {
        **dict.fromkeys(("proxy", "hours", "time_zone", "dscp"), _TEXT),
        **dict.fromkeys(("rate_kbit", "floor_kbit"), _NUMBER),
    },
    "term_years": dict.fromkeys(LEGAL_TERM_YEARS, _NUMBER),
}
"""What each setting of each section must be."""

_REQUIRED = ("site", "client_networks", "quorum", "custodians")
_NETWORKS = ("client_networks", "tunnel_ends", "ranges")


def read(path: Path) -> BoxConfig:
    """The settings in a box.toml. Raises HomeError naming file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except FileNotFoundError:
        raise HomeError(
            f"{path.parent} is not the home of a box: it has no box.toml; make one with 'greffier init'"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"cannot read {path}: {error}; check who owns it") from error
    except tomllib.TOMLDecodeError as error:
        raise HomeError(f"{path} is not valid TOML: {error}; correct that line") from error
    try:
        return _config(tables)
    except ValueError as error:
        key = str(error).partition(":")[0]
        raise HomeError(f"{path}{_line_of(text, key)}: {error}; correct it") from error


def _config(tables: dict[str, Any]) -> BoxConfig:
    sections: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for name, value in tables.items():
        if not isinstance(value, dict):
            sections[""][name] = _typed(name, value, "")
        elif name not in _SECTIONS:
            raise ValueError(f"{name}: there is no such section")
        else:
            sections[name] = {key: _typed(key, setting, name) for key, setting in value.items()}
    values = sections[""] | sections["custody"] | sections["recording"]
    missing = [key for key in _REQUIRED if key not in values]
    if missing:
        raise ValueError(f"{missing[0]}: is missing")
    terms = {**LEGAL_TERM_YEARS, **sections["term_years"]}
    return BoxConfig(
        **values,
        term_years=MappingProxyType(terms),
        capture=CaptureConfig(**sections["capture"]),
        statistics=StatisticsConfig(**sections["statistics"]),
        listen=ListenConfig(**sections["listen"]),
        inventory=InventoryConfig(**sections["inventory"]),
        replication=ReplicationConfig(**sections["replication"]),
    )


def _typed(key: str, value: Any, section: str) -> Any:
    wanted = _SECTIONS[section].get(key)
    if wanted is None:
        raise ValueError(f"{key}: there is no such setting")
    if wanted in _LISTS and isinstance(value, list) and all(type(item) is _LISTS[wanted] for item in value):
        return tuple(_canonical(key, value) if key in _NETWORKS else value)
    if wanted in _PLAIN and type(value) is _PLAIN[wanted]:
        return value
    raise ValueError(f"{key}: must be {wanted}")


def _canonical(key: str, networks: list[str]) -> list[str]:
    wrong = wrong_networks(networks)
    if wrong:
        raise ValueError(f"{key}: {wrong}")
    return [canonical_network(text) for text in networks]


def _line_of(text: str, key: str) -> str:
    pattern = re.compile(rf"^\s*\[?\s*{re.escape(key)}\s*(=|\])")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return f" line {number}"
    return ""
