"""Pairs of a key and its value in one line, in the forms that vendors write. Linear in the line's length.

Only wanted keys are taken out. A wanted key that stands twice with different values is one that somebody
slipped into a text he chooses (a name of a network, of a device): then nothing of the line is believed.
"""

import re

_PAIR = re.compile(r"(?<![\w.-])([A-Za-z_][\w.-]*+)=(?:\"([^\"]*+)\"|'([^']*+)'|([^\s,;\"']*+)(?![^\s,;]))")
"""`key=value`, `key="a value"`, `key='a value'`: every key is tried once, nothing is tried twice."""

_NONE: frozenset[str] = frozenset()

_QUOTED = re.compile(r'"([A-Za-z_]\w*+)"="([^"]*+)"')

_MEMBER = re.compile(r'(?<!\\)"([A-Za-z_]\w*+)" ?: ?"([^"\\]*+)"')

_CEF_KEY = re.compile(r"(?:^| )([A-Za-z]\w*+)=")


def _gathered(found: list[tuple[str, str]], wanted: frozenset[str]) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    for key, value in found:
        if key in wanted and fields.setdefault(key, value) != value:
            return None
    return fields


def pairs(text: str, wanted: frozenset[str], last: frozenset[str] = _NONE) -> dict[str, str] | None:
    """The wanted ones of `key=value key="v w"`; None if one is contradicted.

    A bare value that ends with the line may have been cut short: it is believed only of keys in `last`.
    """
    found = _PAIR.findall(text)
    if found and found[-1][0] not in last and text.endswith(f"{found[-1][0]}={found[-1][3]}"):
        del found[-1]
    kept = [(key, double or single or bare) for key, double, single, bare in found if key in wanted]
    return _gathered(kept, wanted)


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
    keys = list(_CEF_KEY.finditer(text))
    ends = [key.start() for key in keys[1:]]
    found = [(key[1], text[key.end() : end]) for key, end in zip(keys, ends, strict=False)]
    return _gathered(found, wanted)
