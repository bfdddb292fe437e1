"""box.toml: what the owner of a site decides, as one frozen value. Errors name the key and the line."""

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from appliance.model.errors import HomeError

# One calendar year: CPCE L.34-1 II bis 3 and R.10-13 IV (source), L.34-1 III and R.10-13 V (traffic).
LEGAL_TERM_YEARS: Mapping[str, int] = MappingProxyType({"traffic": 1, "source": 1})

_RECIPIENT = re.compile(r"^age1[02-9ac-hj-np-z]{58}$")


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

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong') for a value that cannot be meant."""
        for key, check in _CHECKS.items():
            wrong = check(self, getattr(self, key))
            if wrong:
                raise ValueError(f"{key}: {wrong}")


def canonical_network(text: str) -> str:
    """`192.168.1.7/16` to `192.168.0.0/16`; ValueError with a sentence if it is no network."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError(
            f"'{text}' is not a network; write it like 192.168.0.0/16 or 2001:db8::/48"
        ) from None


def _shown(text: str) -> str:
    """The beginning only: it may be a secret."""
    return text if len(text) <= 12 else f"{text[:12]}..."


def _check_custodians(_: BoxConfig, custodians: tuple[str, ...]) -> str | None:
    if not custodians:
        return "at least one custodian is needed"
    for recipient in custodians:
        if recipient.upper().startswith("AGE-SECRET-KEY-"):
            return "that is a private key; give the public line (age1...) and keep the other off the box"
        if not _RECIPIENT.match(recipient):
            shown = _shown(recipient)
            return f"'{shown}' is not an age recipient; 'greffier custodian new' prints one (age1...)"
    if len(set(custodians)) != len(custodians):
        return "the same custodian is given twice"
    return "at most 255 custodians" if len(custodians) > 255 else None


def _check_quorum(config: BoxConfig, quorum: int) -> str | None:
    if not 1 <= quorum <= len(config.custodians):
        return f"{quorum} is not between 1 and the number of custodians, {len(config.custodians)}"
    return None


def _check_networks(_: BoxConfig | None, networks: tuple[str, ...]) -> str | None:
    if not networks:
        return "at least one network is needed, else no side of a connection is the client"
    for text in networks:
        try:
            canonical_network(text)
        except ValueError as error:
            return str(error)
    return None


def _between(low: int, high: int) -> Callable[[BoxConfig, int], str | None]:
    return lambda _, value: None if low <= value <= high else f"{value} is not between {low} and {high}"


def _check_terms(_: BoxConfig, terms: Mapping[str, int]) -> str | None:
    if set(terms) != set(LEGAL_TERM_YEARS):
        return f"the vaults are {', '.join(LEGAL_TERM_YEARS)}"
    wrong = [vault for vault, years in terms.items() if not 1 <= years <= 10]
    return f"{wrong[0]} is not between 1 and 10 years" if wrong else None


_CHECKS: Mapping[str, Callable[[BoxConfig, Any], str | None]] = {
    "site": lambda _, site: (
        None if site.strip() and site.isprintable() else "the site needs a name on one line"
    ),
    "custodians": _check_custodians,
    "quorum": _check_quorum,
    "client_networks": _check_networks,
    # Parts of a connection are merged when read if at most 60 s apart: a longer silence would split them.
    "idle_timeout_s": _between(1, 60),
    "active_timeout_s": _between(1, 60),
    "flow_limit": _between(1_000, 100_000_000),
    "row_limit": _between(1_000, 100_000_000),
    "term_years": _check_terms,
}


def render(config: BoxConfig) -> str:
    """The text of box.toml, with comments for whoever opens it."""
    return _TEMPLATE.format(
        site=_quoted(config.site),
        networks=_listed(config.client_networks),
        custodians=_listed(config.custodians),
        config=config,
        traffic_years=config.term_years["traffic"],
        source_years=config.term_years["source"],
    )


_TEMPLATE = """\
# Settings of this box. A changed value counts from the next start of 'greffier record'.

site = {site}

# The networks whose addresses are the site's clients.
client_networks = {networks}

[custody]
# Public keys (age recipients) of the custodians, and how many of them must come together to read.
# Every change is signed into the chain at the next start. Past days stay with the custodians of then.
quorum = {config.quorum}
custodians = {custodians}

[recording]
# A connection is closed after this silence, and written at least this often.
idle_timeout_s = {config.idle_timeout_s}
active_timeout_s = {config.active_timeout_s}
# Memory: connections followed at once (the oldest is written and dropped beyond), rows held before a seal.
flow_limit = {config.flow_limit}
row_limit = {config.row_limit}

[term_years]
# Calendar years after which a day is destroyed. The French legal term is one year for both.
traffic = {traffic_years}
source = {source_years}
"""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(texts: tuple[str, ...]) -> str:
    return "[\n" + "".join(f"    {_quoted(text)},\n" for text in texts) + "]"


_SECTIONS: Mapping[str, Mapping[str, type]] = {
    "": {"site": str, "client_networks": list},
    "custody": {"quorum": int, "custodians": list},
    "recording": {"idle_timeout_s": int, "active_timeout_s": int, "flow_limit": int, "row_limit": int},
    "term_years": dict.fromkeys(LEGAL_TERM_YEARS, int),
}
_REQUIRED = ("site", "client_networks", "quorum", "custodians")


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
    values: dict[str, Any] = {}
    sections = {name: table for name, table in tables.items() if isinstance(table, dict)}
    sections[""] = {key: value for key, value in tables.items() if key not in sections}
    for name, table in sections.items():
        known = _SECTIONS.get(name)
        if known is None:
            raise ValueError(f"{name}: there is no such section")
        for key, value in table.items():
            values[key] = _typed(key, value, known)
    missing = [key for key in _REQUIRED if key not in values]
    if missing:
        raise ValueError(f"{missing[0]}: is missing")
    terms = {vault: values.pop(vault, LEGAL_TERM_YEARS[vault]) for vault in LEGAL_TERM_YEARS}
    wrong = _check_networks(None, values["client_networks"])
    if wrong:
        raise ValueError(f"client_networks: {wrong}")
    values["client_networks"] = tuple(canonical_network(text) for text in values["client_networks"])
    return BoxConfig(**values, term_years=MappingProxyType(terms))


def _typed(key: str, value: Any, known: Mapping[str, type]) -> Any:
    if key not in known:
        raise ValueError(f"{key}: there is no such setting")
    match value:
        case list() if known[key] is list and all(isinstance(item, str) for item in value):
            return tuple(value)
        case int() | str() if isinstance(value, known[key]) and not isinstance(value, bool):
            return value
    raise ValueError(f"{key}: must be {_TYPE_NAMES[known[key]]}")


_TYPE_NAMES: Mapping[type, str] = {int: "a number", str: "a text in quotes", list: "a list of texts"}


def _line_of(text: str, key: str) -> str:
    pattern = re.compile(rf"^\s*\[?\s*{re.escape(key)}\s*(=|\])")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return f" line {number}"
    return ""
