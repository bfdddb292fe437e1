"""central.toml: the settings of a central as a file. Errors name the file, the line and the key."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from appliance.config.box import LEGAL_TERM_YEARS
from appliance.config.central import CentralConfig, LimitsConfig, PlaceConfig
from appliance.model.errors import CentralError

NAME = "central.toml"

_TEXTS, _NUMBERS = "a list of texts", "a list of numbers"
_TEXT, _NUMBER = "a text in quotes", "a number"
_LISTS: Mapping[str, type] = {_TEXTS: str, _NUMBERS: int}
_PLAIN: Mapping[str, type] = {_TEXT: str, _NUMBER: int}
_PLACE = dict.fromkeys(("endpoint", "bucket", "region", "credentials"), _TEXT)
_OPERATORS = "operators"
_SECTIONS: Mapping[str, Mapping[str, str]] = {
    "": {"name": _TEXT, "hosts": _TEXTS, "catalogue": _TEXT, "silence_minutes": _NUMBERS},
    "store": _PLACE,
    "custody": _PLACE,
    "term_years": dict.fromkeys(LEGAL_TERM_YEARS, _NUMBER),
    "limits": dict.fromkeys(("object_mib", "free_mib"), _NUMBER),
    _OPERATORS: {},
}
"""What each setting of each section must be; an operator's name is the operator's own."""


class _WrongKeyError(ValueError):
    """What is wrong with a key of a section, "" for the top."""

    def __init__(self, section: str, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.section, self.key = section, key


def read(path: Path) -> CentralConfig:
    """The settings in a central.toml. Raises CentralError naming file, line and key."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        return _config(tomllib.loads(text))
    except FileNotFoundError:
        raise CentralError(
            f"{path.parent} is not the folder of a central: it has no {NAME}; "
            "make one with 'greffier central init'"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CentralError(f"cannot read {path}: {reason}; check who owns it") from error
    except tomllib.TOMLDecodeError as error:
        raise CentralError(f"{path} is not valid TOML: {error}; correct that line") from error
    except _WrongKeyError as error:
        raise CentralError(f"{path}{_line_of(text, error)}: {error}; correct it") from error


def _config(tables: dict[str, Any]) -> CentralConfig:
    sections: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for name, value in tables.items():
        if not isinstance(value, dict):
            sections[""][name] = _typed("", name, value)
        elif name not in _SECTIONS or not name:
            raise _WrongKeyError("", name, "there is no such section")
        else:
            sections[name] = {key: _typed(name, key, setting) for key, setting in value.items()}
    if "name" not in sections[""]:
        raise _WrongKeyError("", "name", "is missing")
    config: CentralConfig = _made(
        "",
        CentralConfig,
        **sections[""],
        store=_made("store", PlaceConfig, **sections["store"]),
        custody=_made("custody", PlaceConfig, **sections["custody"]),
        limits=_made("limits", LimitsConfig, **sections["limits"]),
        term_years=MappingProxyType({**LEGAL_TERM_YEARS, **sections["term_years"]}),
        operators=MappingProxyType(sections[_OPERATORS]),
    )
    return config


def _made(section: str, kind: Any, **values: Any) -> Any:
    """A value of a section, or what is wrong with which of its keys."""
    try:
        return kind(**values)
    except ValueError as error:
        key, _, why = str(error).partition(": ")
        raise _WrongKeyError(section, key, why) from None


def _typed(section: str, key: str, value: Any) -> Any:
    wanted = _TEXT if section == _OPERATORS else _SECTIONS[section].get(key)
    if wanted is None:
        raise _WrongKeyError(section, key, "there is no such setting")
    if wanted in _LISTS and isinstance(value, list) and all(type(item) is _LISTS[wanted] for item in value):
        return tuple(value)
    if wanted in _PLAIN and type(value) is _PLAIN[wanted]:
        return value
    raise _WrongKeyError(section, key, f"must be {wanted}")


def _line_of(text: str, wrong: _WrongKeyError) -> str:
    """Where the key stands in its section; else where the section of that name begins."""
    key = re.compile(rf"^\s*\"?{re.escape(wrong.key)}\"?\s*=")
    section, header = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _HEADER.match(line):
            section = found[1]
            header = f" line {number}" if section in (wrong.key, wrong.section) else header
        elif section == wrong.section and key.match(line):
            return f" line {number}"
    return header


_HEADER = re.compile(r"^\s*\[\s*\"?([^\]\"]*?)\"?\s*\]")


def render(config: CentralConfig) -> str:
    """The settings as central.toml; `read` gives the same value back."""
    return _TEMPLATE.format(
        name=_quoted(config.name),
        hosts=_inline(map(_quoted, config.hosts)),
        catalogue=_quoted(config.catalogue),
        silence=_inline(map(str, config.silence_minutes)),
        store=_place(config.store),
        custody=_place(config.custody),
        limits=config.limits,
        traffic_years=config.term_years["traffic"],
        source_years=config.term_years["source"],
        operators="".join(f"{_quoted(name)} = {_quoted(key)}\n" for name, key in config.operators.items()),
    )


_TEMPLATE = """\
# Settings of this central. A changed value counts from the next start.

# The place, as boxes and people see it, and the names and addresses that boxes reach it under: they stand
# in its certificate.
name = {name}
hosts = {hosts}

# Empty: catalogue.sqlite in this folder. Else PostgreSQL, without a password, which libpq finds by itself:
# "postgresql://greffier@db.example.net/greffier?sslmode=verify-full&passfile=/etc/greffier/pgpass"
catalogue = {catalogue}

# Minutes after which the silence of a site is noticed, and noticed again.
silence_minutes = {silence}

[store]
# Where objects lie. Empty: the folder objects/. Else a bucket of an S3-compatible store that locks objects
# (object lock, compliance): endpoint = "https://s3.example.net". Its keys are in the file named by
# 'credentials', in the form of AWS's ([default] aws_access_key_id and aws_secret_access_key), or in the
# environment.
{store}
[custody]
# Where envelopes lie, the only thing that must be able to vanish. Empty: the folder custody/. Else a bucket
# of their own, without versions and without lock. Never in a backup that is kept.
{custody}
[term_years]
# Calendar years after which a day is destroyed, for sites enrolled without other terms. The French legal term
# is one year for both.
traffic = {traffic_years}
source = {source_years}

[limits]
# The largest object that is taken; the room (MiB) that a folder leaves to the catalogue.
object_mib = {limits.object_mib}
free_mib = {limits.free_mib}

[operators]
# Who may end a contract, two of them together: "name" = "public key". 'greffier central operator new'
# prints such a line.
{operators}"""


def _place(place: PlaceConfig) -> str:
    names = ("endpoint", "bucket", "region", "credentials")
    return "".join(f"{name} = {_quoted(getattr(place, name))}\n" for name in names)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _inline(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"
