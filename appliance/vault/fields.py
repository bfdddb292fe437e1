"""What a field of a line of the chain must be: its type, its form and its bounds. Pure.

A line may come from a thief who has the box's key, by way of a central: whatever is read here is later
counted with, printed, and made names of files. Each function gives the field's value or raises ValueError,
KeyError, TypeError. A year has 18,000 lines that name two million journal files: what can be checked of
many at once is, and what comes again and again is remembered.
"""

import datetime as dt
import functools
import re
from collections.abc import Mapping
from typing import Any

from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, NS, start_of

END = 1 << 63
"""Numbers are below this, and so are instants: what nanoseconds since 1970 in 64 bits can hold, to 2262."""

LONGEST_NAME = 255
LONGEST_TEXT = 4096
MOST_CUSTODIANS = 255

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KEY_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_RUN = re.compile(r"[0-9a-f]{8}", re.ASCII)
_PLAIN = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def number(value: Any) -> int:
    """A whole number from 0 to 2^63 - 1; `true` is none."""
    if type(value) is not int or not 0 <= value < END:
        raise ValueError("a number is not whole, is below 0 or too great")
    return value


def positive(value: Any) -> int:
    """A whole number of 1 or more."""
    if number(value) < 1:
        raise ValueError("a number is 0")
    return int(value)


@functools.lru_cache(maxsize=1024)
def _midnight(text: str) -> int:
    day_ns = start_of(dt.date.fromisoformat(text))
    if not 0 <= day_ns <= END - DAY_NS:
        raise ValueError("a day is before 1970 or after 2262")
    return day_ns


@functools.lru_cache(maxsize=4096)  # one seal's last instant is the next one's first
def instant(text: str) -> int:
    """UTC nanoseconds of the one form `to_iso` writes: ten times quicker than reading any ISO 8601."""
    if len(text) != 30 or text[29] != "Z":
        raise ValueError(f"{text[:40]!a} is not an instant")
    hour, minute, second, fraction = int(text[11:13]), int(text[14:16]), int(text[17:19]), int(text[20:29])
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and fraction >= 0):
        raise ValueError(f"{text[:40]!a} is not an instant")
    return _midnight(text[:10]) + hour * HOUR_NS + minute * MINUTE_NS + second * NS + fraction


@functools.lru_cache(maxsize=1024)
def day(text: str) -> dt.date:
    """A day of records: YYYY-MM-DD, from 1970 to 2262."""
    if _midnight(text) < 0 or len(text) != 10:
        raise ValueError("a day is not of the form 2026-11-21")
    return dt.date.fromisoformat(text)


date = functools.lru_cache(maxsize=1024)(dt.date.fromisoformat)
"""Any day that there is: a person may hold what is kept for ever."""


@functools.lru_cache(maxsize=1024)
def text(value: Any) -> str:
    """One line of text, as a person reads it."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
        raise ValueError("a text is too long or holds what cannot be printed")
    return value


@functools.lru_cache(maxsize=1024)
def source(value: Any) -> str:
    """The name of a source. It may hold the name that a person gave a capture file, whatever that is."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
        raise ValueError("a source has no name, or too long a one")
    return value


def sha256(value: Any) -> str:
    """64 hexadecimal digits: of a hash, or a public key."""
    if not _HASH.fullmatch(value):
        raise ValueError("a hash is not 64 hexadecimal digits")
    return str(value)


@functools.lru_cache(maxsize=1024)
def key_id(value: str) -> str:
    """The id of a day key."""
    if not _KEY_ID.fullmatch(value):
        raise ValueError("the id of a key is not 16 hexadecimal digits")
    return value


@functools.lru_cache(maxsize=1024)
def run(value: str) -> str:
    """The id of a run."""
    if not _RUN.fullmatch(value):
        raise ValueError("the id of a run is not 8 hexadecimal digits")
    return value


def key_ids(values: Any) -> tuple[str, ...]:
    """A list of ids of day keys."""
    return tuple([key_id(value) for value in items(values)])


def name(value: Any) -> str:
    """The plain name of a file that the box itself gave it: no folder, nothing hidden."""
    if not 0 < len(value) <= LONGEST_NAME or value.encode("ascii").translate(None, _PLAIN) not in (b"", b"."):
        raise ValueError("a file's name is not a plain name")
    if value[0] == ".":
        raise ValueError("a file's name is not a plain name")
    return str(value)


def names(values: Any) -> tuple[str, ...]:
    """A list of names as a journal file has one, with one dot in it; checked together."""
    count = len(items(values))
    joined = "/".join(values)
    foreign = joined.encode("ascii").translate(None, _PLAIN)
    if foreign != b"./" * (count - 1) + b"." * bool(count) or "." in values:
        raise ValueError("a file's name is not a plain name")
    if len(joined) > LONGEST_NAME * count:
        raise ValueError("the names of files are too long")
    return tuple(values)


def custodians(values: Any) -> tuple[str, ...]:
    """The recipients of shares."""
    if not 0 < len(items(values)) <= MOST_CUSTODIANS:
        raise ValueError(f"there are not 1 to {MOST_CUSTODIANS} custodians")
    if not all(text(value).startswith("age1") for value in values):
        raise ValueError("a custodian is no recipient of age")
    return tuple(values)


def items(values: Any) -> list[Any]:
    """A list, whatever is in it."""
    if type(values) is not list:
        raise ValueError("a list is none")
    return values


def counts(value: Any) -> Mapping[str, int]:
    """Numbers by word."""
    if type(value) is not dict:
        raise ValueError("counts are not given by word")
    for word, count in value.items():
        if type(count) is not int or not 0 <= count < END:
            raise ValueError("a count is not whole, is below 0 or too great")
        text(word)
    return value
