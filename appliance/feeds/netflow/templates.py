"""Templates: how the records of a set are laid out, compiled into what is read of them and where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any

import numpy as np

from appliance.feeds.netflow.elements import (
    CONTENT,
    IANA,
    MACS,
    NUMBERS,
    OUT_COUNTERS,
    SCOPE,
    TEXTS,
    V4,
    V6,
    VARIABLE,
    Element,
    is_known,
)

IPFIX = 10
FIELDS_LIMIT = 1024
"""Real templates have fewer than a hundred fields; a datagram has room for sixteen thousand."""

TEXT_LIMIT = 253  # `model.texts`

_PAIR = Struct("!HH")
_NUMBER = Struct("!I")
_MAC = np.dtype([("hi", ">u2"), ("lo", ">u4")])


class BadTemplate(Exception):
    """A template that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record; `length` in octets, VARIABLE where each record says."""

    element: Element
    length: int


@dataclass(frozen=True, eq=False, slots=True)
class Template:
    """One layout of `width` fields. `size` is a record's octets, the least that can be if `varies`.

    `layout` reads the records of one size; of varying ones, what `pieces` leaves of them. `options` marks
    records about the device itself. `noted` says what its fields are noted for.
    """

    number: int
    definition: bytes
    options: bool
    width: int
    size: int
    varies: bool
    layout: np.dtype[Any]
    pieces: tuple[tuple[int, str], ...]
    unknown: bool
    content: bool

    def reads(self, *names: str) -> bool:
        """Whether any of these stands in its records."""
        return any(name in (self.layout.fields or ()) for name in names)


def compile_template(version: int, number: int, definition: bytes, scopes: int | None) -> Template:
    """A template from its field specifiers as they stand in the message; `scopes` counts those of options.

    Raises BadTemplate.
    """
    fields = tuple(_fields(version, definition, scopes or 0))
    if not fields or len(fields) > FIELDS_LIMIT:
        raise BadTemplate
    size = sum(1 if field.length == VARIABLE else field.length for field in fields)
    if not 0 < size <= VARIABLE:
        raise BadTemplate
    varies = any(field.length == VARIABLE for field in fields)
    wanted = _wanted(version, fields)
    layout, pieces = _lay_out(fields, wanted)
    read = set(wanted)
    return Template(
        number,
        definition,
        scopes is not None,
        len(fields),
        size,
        varies,
        layout,
        pieces,
        any(at not in read and not is_known(field.element) for at, field in enumerate(fields)),
        any(field.element in CONTENT for field in fields),
    )


def _fields(version: int, definition: bytes, scopes: int) -> Iterator[Field]:
    at = 0
    while at + 4 <= len(definition):
        number, length = _PAIR.unpack_from(definition, at)
        at += 4
        enterprise = IANA
        if version == IPFIX and number & 0x8000:
            number &= 0x7FFF
            enterprise = _NUMBER.unpack_from(definition, at)[0]
            at += 4
        elif version != IPFIX and scopes > 0:
            enterprise = SCOPE
            scopes -= 1
        yield Field((enterprise, number), length)


def _wanted(version: int, fields: tuple[Field, ...]) -> dict[int, str]:
    """Which fields are read, by position, and as what: the preferred of those that say the same."""
    places: dict[Element, int] = {}
    for at, field in enumerate(fields):
        places.setdefault(field.element, at)
    wanted: dict[int, str] = {}
    for names, fits in _KINDS:
        for name, elements in names.items():
            place = next(
                (places[each] for each in elements if each in places and fits(fields[places[each]].length)),
                None,
            )
            if place is not None:
                wanted[place] = name
    if version != IPFIX and (IANA, 1) in places:
        for name, element in OUT_COUNTERS.items():
            place = places.get(element)
            if place is not None and place not in wanted and _is_number(fields[place].length):
                wanted[place] = name
    return wanted


def _is_number(length: int) -> bool:
    return 1 <= length <= 8


_KINDS: tuple[tuple[Mapping[str, tuple[Element, ...]], Any], ...] = (
    (NUMBERS, _is_number),
    (V4, lambda length: length == 4),
    (V6, lambda length: length == 16),
    (MACS, lambda length: length == 6),
    (TEXTS, lambda length: 1 <= length <= TEXT_LIMIT or length == VARIABLE),
)


def _lay_out(
    fields: tuple[Field, ...], wanted: dict[int, str]
) -> tuple[np.dtype[Any], tuple[tuple[int, str], ...]]:
    """The layout of what is read, and how varying records are brought to it: (octets, text after)."""
    names: list[str] = []
    formats: list[Any] = []
    offsets: list[int] = []
    pieces: list[tuple[int, str]] = []
    offset = run = 0
    for at, field in enumerate(fields):
        name = wanted.get(at, "")
        if name:
            names.append(name)
            formats.append(_format(name, field.length))
            offsets.append(offset)
        if field.length == VARIABLE:
            pieces.append((run, name))
            offset += 4 if name else 0
            run = 0
        else:
            offset += field.length
            run += field.length
    pieces.append((run, ""))
    layout = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": offset})
    return layout, tuple(pieces)


def _format(name: str, length: int) -> Any:
    if name in NUMBERS or name in OUT_COUNTERS:
        return {1: "u1", 2: ">u2", 4: ">u4", 8: ">u8"}.get(length, ("u1", (length,)))
    if name in V4:
        return ">u4"
    if name in V6:
        return (">u8", (2,))
    if name in MACS:
        return _MAC
    return ">u4" if length == VARIABLE else f"S{length}"  # of a text that varies, its number
