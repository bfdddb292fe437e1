"""What the operator of a central decides, as one frozen value. `central_toml` reads and writes it.

No password stands in it: PostgreSQL's is where libpq looks for it (a passfile), S3's in a file of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from appliance.config.box import LEGAL_TERM_YEARS
from appliance.config.values import outside, wrong_host


@dataclass(frozen=True)
class PlaceConfig:
    """Where bytes lie: in a folder of the central (no endpoint), or in a bucket of an S3-compatible store.

    `credentials` is a file in the form of AWS's, relative to the central's folder; empty: the environment's.
    """

    endpoint: str = ""
    bucket: str = ""
    region: str = ""
    credentials: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong')."""
        if bool(self.endpoint) != bool(self.bucket):
            raise ValueError("bucket: an endpoint and a bucket are given together, or neither")
        if self.endpoint and not _is_endpoint(self.endpoint):
            raise ValueError(f"endpoint: '{self.endpoint}' is not like https://s3.example.net")
        if self.bucket and not _BUCKET.fullmatch(self.bucket):
            raise ValueError(
                f"bucket: '{self.bucket}' has not 3 to 63 small letters, digits, dots and hyphens"
            )

    @property
    def is_s3(self) -> bool:
        return bool(self.endpoint)


@dataclass(frozen=True)
class LimitsConfig:
    """`object_mib` bounds one object; of a disk `free_mib` are left free, a quarter of them by custody."""

    object_mib: int = 2048
    free_mib: int = 256

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong')."""
        for key, low, high in (("object_mib", 1, 5 << 10), ("free_mib", 0, 1 << 20)):
            wrong = outside(getattr(self, key), low, high)
            if wrong:
                raise ValueError(f"{key}: {wrong}")


@dataclass(frozen=True)
class CentralConfig:
    """A central's settings. `hosts` stand in its certificate; `operators` are public keys by name.

    `catalogue` is empty for catalogue.sqlite, or a postgresql:// URL. `silence_minutes` are the levels at
    which the silence of a site is noticed, shortest first; `term_years` is for sites enrolled without others.
    """

    name: str
    hosts: tuple[str, ...] = ()
    catalogue: str = ""
    store: PlaceConfig = field(default_factory=PlaceConfig)
    custody: PlaceConfig = field(default_factory=PlaceConfig)
    term_years: Mapping[str, int] = field(default_factory=lambda: LEGAL_TERM_YEARS)
    silence_minutes: tuple[int, ...] = (15, 60, 1440)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    operators: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong') for a value that cannot be meant."""
        for key, check in _CHECKS.items():
            wrong = check(self, getattr(self, key))
            if wrong:
                raise ValueError(f"{key}: {wrong}")


def _is_endpoint(text: str) -> bool:
    parts = urlsplit(text)
    return (
        parts.scheme in ("https", "http")
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and not (parts.query or parts.fragment)
    )


_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def _check_name(_: CentralConfig, name: str) -> str | None:
    if not name.strip() or not name.isprintable() or len(name.encode()) > 200:
        return "the central needs a name on one line, of at most 200 bytes"
    return None


def _check_hosts(_: CentralConfig, hosts: tuple[str, ...]) -> str | None:
    wrong = [why for host in hosts if (why := wrong_host(host))]
    return wrong[0] if wrong else ("the same host is given twice" if len(set(hosts)) != len(hosts) else None)


def _check_catalogue(_: CentralConfig, url: str) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url)
        secret = parts.password or parse_qs(parts.query).get("password")
    except ValueError:
        return "this is no URL"
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        return "must be empty, or like postgresql://greffier@db.example.net/greffier"
    if secret:
        return "no password here: put it in a file and name that, ...?passfile=/etc/greffier/pgpass"
    return None


def _check_custody(config: CentralConfig, custody: PlaceConfig) -> str | None:
    if custody.is_s3 and (custody.endpoint, custody.bucket) == (config.store.endpoint, config.store.bucket):
        return "envelopes need a bucket of their own, apart from the objects'"
    return None


def _check_terms(_: CentralConfig, terms: Mapping[str, int]) -> str | None:
    if set(terms) != set(LEGAL_TERM_YEARS):
        return f"the vaults are {', '.join(LEGAL_TERM_YEARS)}"
    wrong = [(vault, years) for vault, years in terms.items() if not LEGAL_TERM_YEARS[vault] <= years <= 10]
    if wrong:
        return f"{wrong[0][0]} is not between {LEGAL_TERM_YEARS[wrong[0][0]]} (the law's) and 10 years"
    return None


def _check_silence(_: CentralConfig, minutes: tuple[int, ...]) -> str | None:
    if not minutes or any(not 1 <= level <= 525_600 for level in minutes):
        return "needs at least one level, each between 1 minute and a year"
    return None if sorted(set(minutes)) == list(minutes) else "the levels must grow"


def _check_operators(_: CentralConfig, operators: Mapping[str, str]) -> str | None:
    for name, key in operators.items():
        if not name.strip() or not name.isprintable():
            return "an operator needs a name on one line"
        if len(key) != 64 or set(key) - set("0123456789abcdef"):
            return f"the key of '{name}' is no public key; 'greffier central operator new' prints one"
    return "two operators have the same key" if len(set(operators.values())) != len(operators) else None


_CHECKS: Mapping[str, Callable[[CentralConfig, Any], str | None]] = {
    "name": _check_name,
    "hosts": _check_hosts,
    "catalogue": _check_catalogue,
    "custody": _check_custody,
    "term_years": _check_terms,
    "silence_minutes": _check_silence,
    "operators": _check_operators,
}
