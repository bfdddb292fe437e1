"""sources.toml: who may speak, as frozen values. Errors name the file, the line and the key.

The file holds secrets: it is its owner's alone, and no error shows what one of them is.
"""

import re
import stat
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from appliance.config import declarations, sources_text
from appliance.model.errors import HomeError
from appliance.model.feeds import DeclaredSource

NAME = "sources.toml"
SIZE_LIMIT_BYTES = 4 << 20

_TEXTS = ("addresses", "ap_macs", "ap_labels", "kinds")
_TEXT = ("label", "network", "mac", "time_zone", "grammar", "secret", "certificate")
_TABLE = re.compile(r"^\s*\[\[\s*\"?source\"?\s*\]\]")

Sources = tuple[DeclaredSource, ...]


class _WrongKeyError(ValueError):
    """What is wrong with a key of the table of that number, -1 outside of all."""

    def __init__(self, table: int, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.table, self.key = table, key


def read(path: Path, grammars: Collection[str] | None = None) -> Sources:
    """The declared sources; none where the file is not there. `grammars` are the names a source may give.

    Raises HomeError naming file, line and key.
    """
    text = ""
    try:
        found = path.stat()
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise HomeError(f"{path} holds secrets and others may open it; run: chmod 600 {path}")
        if found.st_size > SIZE_LIMIT_BYTES:
            raise HomeError(f"{path} is larger than {SIZE_LIMIT_BYTES >> 20} MiB; that cannot be meant")
        text = path.read_text(encoding="utf-8")
        return _sources(tomllib.loads(text), grammars)
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise HomeError(f"cannot read {path}: {reason}; check who owns it") from error
    except tomllib.TOMLDecodeError as error:
        raise HomeError(f"{path} is not valid TOML: {error}; correct that line") from error
    except _WrongKeyError as error:
        raise HomeError(f"{path}{_line_of(text, error)}: {error}; correct it") from error


def text_of(sources: Iterable[DeclaredSource]) -> str:
    """The text of a file that `read` reads as these sources. Raises HomeError for what it would refuse."""
    declared = tuple(sources)
    try:
        return sources_text.render(_sources(sources_text.tables(declared), None))
    except _WrongKeyError as error:
        raise HomeError(f"{declared[error.table].label or 'source'}: {error}; correct it") from None


def _sources(tables: dict[str, Any], grammars: Collection[str] | None) -> Sources:
    for key in tables:
        if key != "source":
            raise _WrongKeyError(-1, key, "there is no such section; each source is a table [[source]]")
    listed = tables.get("source", [])
    if not isinstance(listed, list) or not all(isinstance(table, dict) for table in listed):
        raise _WrongKeyError(-1, "source", "each source is a table [[source]]")
    found = [_source(number, table, grammars) for number, table in enumerate(listed)]
    wrong = declarations.wrong_together(found)
    if wrong:
        raise _WrongKeyError(*wrong)
    return tuple(found)


def _source(number: int, table: dict[str, Any], grammars: Collection[str] | None) -> DeclaredSource:
    values = {key: _value(number, key, value) for key, value in table.items()}
    if "label" not in values:
        raise _WrongKeyError(number, "label", "is missing")
    source = DeclaredSource(**values)
    wrong = declarations.wrong_source(source, grammars)
    if wrong:
        raise _WrongKeyError(number, *wrong)
    return source


def _value(number: int, key: str, value: Any) -> Any:
    if key in _TEXTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _WrongKeyError(number, key, "must be a list of texts")
        value = tuple(value)
    elif key not in _TEXT:
        raise _WrongKeyError(number, key, "there is no such setting of a source")
    elif not isinstance(value, str):
        raise _WrongKeyError(number, key, "must be a text in quotes")
    canonical = declarations.CANONICAL.get(key)
    try:
        return canonical(value) if canonical else value
    except ValueError as error:
        raise _WrongKeyError(number, key, str(error)) from None


def _line_of(text: str, wrong: _WrongKeyError) -> str:
    """Where the key stands; where it is missing, where its table begins."""
    key = re.compile(rf"^\s*\[*\s*\"?{re.escape(wrong.key)}\"?\s*(=|\])")
    table, begins = -1, ""
    for number, line in enumerate(text.splitlines(), 1):
        if _TABLE.match(line):
            table += 1
            begins = f" line {number}" if table == wrong.table else begins
        if table == wrong.table and key.match(line):
            return f" line {number}"
    return begins
