"""The section [replication] of box.toml: how what is kept goes to the centrals, in nobody's way."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from appliance.config.declarations import is_time_zone
from appliance.config.values import outside

MARKS = ("auto", "LE", "CS1", "none")
RATE_LIMIT_KBIT = 10_000_000
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class ReplicationConfig:
    """Rates are kbit/s (1,000 bits); `rate_kbit` 0: the smaller of a fifth of the uplink and 2 Mbit/s.

    `floor_kbit` is what replication never falls below, however busy the line is, so that it always finishes.
    `hours` ("01:00-06:00", wall clock of `time_zone`) are those in which segments may go; empty: always.
    Envelopes, journals and the lines of the chain go at any hour. `dscp` is how packets are marked: LE
    (RFC 8622), CS1 (RFC 4594) where a line refuses LE, `auto` to find out, or none.
    """

    proxy: str = ""
    rate_kbit: int = 0
    floor_kbit: int = 256
    hours: str = ""
    time_zone: str = "Europe/Paris"
    dscp: str = "auto"

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong') for a value that cannot be meant."""
        for key, wrong in (
            ("proxy", _wrong_proxy(self.proxy)),
            ("rate_kbit", self.rate_kbit and outside(self.rate_kbit, 8, RATE_LIMIT_KBIT)),
            ("floor_kbit", outside(self.floor_kbit, 8, RATE_LIMIT_KBIT)),
            ("hours", _wrong_hours(self.hours)),
            (
                "time_zone",
                None if is_time_zone(self.time_zone) else "is no IANA time zone, like Europe/Paris",
            ),
            ("dscp", None if self.dscp in MARKS else f"'{self.dscp}' is none of {', '.join(MARKS)}"),
        ):
            if wrong:
                raise ValueError(f"{key}: {wrong}")

    def minutes(self) -> tuple[int, int] | None:
        """The hours as minutes of the day, [first, last), also over midnight; None: always."""
        found = _HOURS.fullmatch(self.hours)
        if not found:
            return None
        first_h, first_m, last_h, last_m = map(int, found.groups())
        return first_h * 60 + first_m, last_h * 60 + last_m


def _wrong_proxy(text: str) -> str | None:
    """Whether it is where an HTTP proxy may be; none is fine."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        port = None
        parts = urlsplit("")
    if parts.scheme != "http" or not parts.hostname or not port or parts.path not in ("", "/"):
        return "write it like http://proxy.example:3128; what goes through it is encrypted to central"
    return None


def _wrong_hours(text: str) -> str | None:
    if not text:
        return None
    found = _HOURS.fullmatch(text)
    if not found or text[:5] == text[6:]:
        return f"'{text}' is no part of a day; write it like 01:00-06:00, or leave it empty"
    return None
