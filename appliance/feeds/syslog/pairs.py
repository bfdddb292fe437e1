"""Pairs of a key and its value in one line, in the forms that vendors write. Linear in the line's length.

Only wanted keys are taken out. A wanted key that stands twice with different values is one that somebody
slipped into a text he chooses (a name of a network, of a device): then nothing of the line is believed.
"""

import re

_PAIR = re.compile(r"(?<![\w.-])([A-Za-z_][A-Za-z0-9_.-]*+)=(\"[^\"]*+\"|'[^']*+'|[^\s,;\"']*+(?![^\s,;]))")
"""`key=value`, `key="a value"`, `key='a value'`: every key is tried once, nothing is tried twice."""

_QUOTES = ('"', "'")

_NONE: frozenset[str] = frozenset()

_QUOTED = re.compile(r'"([A-Za-z_]\w*+)"="([^"]*+)"')

_MEMBER = re.compile(r'(?<!\\)"([A-Za-z_]\w*+)" ?: ?"([^"\\]*+)"')

_CEF_KEY = re.compile(r"(?:^| )([A-Za-z]\w*+)=")


def _gathered(found: list[tuple[str, str]], wanted: frozenset[str]) -> dict[str, str] | None:
    fields = dict(found)
    if len(fields) < len(found) and any(key in wanted and fields[key] != value for key, value in found):
        return None
    return {key: fields[key] for key in wanted.intersection(fields)}


def pairs(text: str, wanted: frozenset[str], last: frozenset[str] = _NONE) -> dict[str, str] | None:
    """The wanted ones of `key=value key="v w"`; None if one is contradicted.

    A bare value that ends with the line may have been cut short: it is believed only of keys in `last`.
    """
    found = _PAIR.findall(text)
    if found:
        key, value = found[-1]
        if key not in last and value[:1] not in _QUOTES and text.endswith(f"{key}={value}"):
            del found[-1]
    fields = _gathered(found, wanted)
    if fields is None:
        return None
    return {key: value[1:-1] if value[:1] in _QUOTES else value for key, value in fields.items()}


def quoted_pairs(text: str, wanted: frozenset[str]) -> dict[str, str] | None:
    """The wanted ones of `"key"="value","key"="value"` (Ruckus SmartZone); None if one is contradicted."""
    return _gathered([(match[1], match[2]) for match in _QUOTED.finditer(text)], wanted)


def json_pairs(text: str, wanted: frozenset[str]) -> dict[str, str] | None:
    """The wanted ones of `{"key": "value", "key":"value"}`, also where members were cut out of the middle."""
    return _gathered([(match[1], match[2]) for match in _MEMBER.finditer(text)], wanted)


def cef_pairs(text: str, wanted: frozenset[str]) -> dict[str, str] | None:
    """The wanted ones of a CEF extension, whose values may hold spaces; None if one is contradicted.

    The last value, which may have been cut short, is left out: it is a message for people in any case.
    """
    parts = _CEF_KEY.split(text)  # what stands before the first key, then keys and values in turn
    return _gathered(list(zip(parts[1:-2:2], parts[2:-2:2], strict=True)), wanted)
