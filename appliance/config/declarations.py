"""What a declaration may say: each value in its canonical form; what is wrong with one, or with several."""

import ipaddress
import itertools
import re
import zoneinfo
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from appliance.config.values import too_many, wrong_macs
from appliance.model.addresses import mac_number, mac_text
from appliance.model.feeds import WITH_SECRET, DeclaredSource, FeedKind

SOURCE_LIMIT = 4000
ACCESS_POINT_LIMIT = 4000
ADDRESS_LIMIT = 1000
ALTOGETHER_LIMIT = 16_000
"""Addresses of all sources, and access points of all: every look at who speaks goes through them."""

LABEL_LIMIT = 60
SECRET_LIMIT = 253  # longer than any device takes

_GRAMMAR = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAPPED = ipaddress.ip_network("::ffff:0:0/96")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network_of(text: str) -> Network:
    """An address or a network, what is IPv4 as IPv4. ValueError with a sentence."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(
            f"'{text[:60]}' is no address or network; write it like 192.168.0.7, 192.168.0.0/28 or fe80::1"
        ) from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):  # type: ignore[arg-type]
        low = int(network.network_address) & 0xFFFF_FFFF
        network = ipaddress.ip_network((low, network.prefixlen - 96))
    if not network.prefixlen:
        raise ValueError(f"'{text}' is everybody; name the addresses of this source")
    if network.network_address.is_multicast:
        raise ValueError(f"'{text}' is for groups, nobody sends from there")
    return network


def _networks(texts: Sequence[str]) -> tuple[str, ...]:
    wrong = too_many(texts, ADDRESS_LIMIT, "addresses of one source")
    if wrong:
        raise ValueError(f"{wrong}; a network in place of its addresses is one")
    return tuple(str(network_of(text)) for text in texts)


def _mac(text: str) -> str:
    wrong = wrong_macs((text,), 1) if text else None
    if wrong:
        raise ValueError(wrong)
    return mac_text(mac_number(text)) if text else ""


def _macs(texts: Sequence[str]) -> tuple[str, ...]:
    wrong = wrong_macs(tuple(texts), ACCESS_POINT_LIMIT)
    if wrong:
        raise ValueError(wrong)
    return tuple(map(_mac, texts))


def _kinds(texts: Sequence[str]) -> tuple[FeedKind, ...]:
    for text in texts:
        if text not in set(FeedKind):
            raise ValueError(f"'{text}' is no kind of feed; those there are: {', '.join(FeedKind)}")
    return tuple(kind for kind in FeedKind if kind in texts)


def _fingerprint(text: str) -> str:
    plain = text.strip().replace(":", "").lower()
    if text and not _SHA256.fullmatch(plain):
        raise ValueError("is no SHA-256 of a certificate: 64 hexadecimal digits, with or without colons")
    return plain


def _printable(text: str) -> str:
    if not text.isprintable() or len(text.strip()) > LABEL_LIMIT:
        raise ValueError(f"must be printable, on one line, of at most {LABEL_LIMIT} characters")
    return text.strip()


def _labels(texts: Sequence[str]) -> tuple[str, ...]:
    wrong = too_many(texts, ACCESS_POINT_LIMIT, "names")
    if wrong:
        raise ValueError(wrong)
    return tuple(map(_printable, texts))


CANONICAL: Mapping[str, Callable[[Any], Any]] = {
    "label": _printable,
    "network": _printable,
    "addresses": _networks,
    "mac": _mac,
    "ap_macs": _macs,
    "ap_labels": _labels,
    "kinds": _kinds,
    "certificate": _fingerprint,
}
"""A setting's value in canonical form; ValueError with a sentence where it can have none."""


def wrong_source(source: DeclaredSource, grammars: Collection[str] | None) -> tuple[str, str] | None:
    """(key, what is wrong) with one source whose values are canonical, or None."""
    faults = itertools.chain(_wrong_sender(source), _wrong_lines(source, grammars), _wrong_places(source))
    return next(faults, None)


def _wrong_sender(source: DeclaredSource) -> Iterator[tuple[str, str]]:
    if not source.label:
        yield "label", "a source needs a name"
    if not (source.addresses or source.mac or source.certificate):
        yield (
            "addresses",
            "a source is known by its addresses, its 'mac' or its 'certificate'; give one of them",
        )
    needing = [kind for kind in source.kinds if kind in WITH_SECRET and not source.secret]
    if needing:
        yield "secret", f"{'/'.join(needing)} needs the secret that is set on the device"
    if len(source.secret) > SECRET_LIMIT or not source.secret.isprintable():
        yield "secret", f"must be printable and of at most {SECRET_LIMIT} characters"


def _wrong_lines(source: DeclaredSource, grammars: Collection[str] | None) -> Iterator[tuple[str, str]]:
    """`grammars` are all there are, None where that is not known."""
    if not is_time_zone(source.time_zone):
        yield "time_zone", "is no IANA time zone, like Europe/Paris"
    if source.grammar and not _GRAMMAR.fullmatch(source.grammar):
        yield "grammar", "is a name in small letters"
    if source.grammar and grammars is not None and source.grammar not in grammars:
        yield "grammar", f"there is no such grammar; those there are: {', '.join(sorted(grammars))}"


def _wrong_places(source: DeclaredSource) -> Iterator[tuple[str, str]]:
    if source.ap_labels and len(source.ap_labels) != len(source.ap_macs):
        yield "ap_labels", "must be as many as 'ap_macs', or none"
    named = [label for label in source.ap_labels if label]
    if len(set(named)) != len(named):
        yield "ap_labels", "the same name is given to two access points"


def is_time_zone(name: str) -> bool:
    """Whether the machine knows a time zone of that name."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def wrong_together(sources: Sequence[DeclaredSource]) -> tuple[int, str, str] | None:
    """(number of the source, key, what is wrong) where two sources could not be told apart, or None."""
    if len(sources) > SOURCE_LIMIT:
        return SOURCE_LIMIT, "label", f"at most {SOURCE_LIMIT:,} sources"
    return _too_many_together(sources) or _alike(sources) or _overlapping(sources)


def _too_many_together(sources: Sequence[DeclaredSource]) -> tuple[int, str, str] | None:
    for key in ("addresses", "ap_macs"):
        count = 0
        for number, source in enumerate(sources):
            count += len(getattr(source, key))
            if count > ALTOGETHER_LIMIT:
                return number, key, f"at most {ALTOGETHER_LIMIT:,} of all sources together"
    return None


def _alike(sources: Sequence[DeclaredSource]) -> tuple[int, str, str] | None:
    """Labels and what a sender is known by, given twice."""
    for key in ("label", "mac", "certificate"):
        first: dict[str, list[int]] = {}
        for number, source in enumerate(sources):
            value = getattr(source, key).casefold()
            for other in first.get(value, ()) if value else ():
                if key != "mac" or may_both_send(source, sources[other]):
                    return number, key, f"'{sources[other].label}' has the same"
            first.setdefault(value, []).append(number)
    return None


def may_both_send(one: DeclaredSource, other: DeclaredSource) -> bool:
    """Whether there is a kind of feed that both are declared for."""
    return not one.kinds or not other.kinds or bool(set(one.kinds) & set(other.kinds))


def _overlapping(sources: Sequence[DeclaredSource]) -> tuple[int, str, str] | None:
    """Networks sorted by their beginning: what overlaps another begins before that one ends."""
    spans = []
    for number, source in enumerate(sources):
        for text in source.addresses:
            network = ipaddress.ip_network(text)
            first, last = int(network.network_address), int(network.broadcast_address)
            spans.append((network.version, first, last, number))
    spans.sort()
    reaching: list[tuple[int, int, int, int]] = []
    for span in spans:
        reaching = [other for other in reaching if other[0] == span[0] and other[2] >= span[1]]
        for other in reaching:
            late, early = max(span[3], other[3]), min(span[3], other[3])
            if late == early:
                return late, "addresses", "names the same address twice"
            if may_both_send(sources[late], sources[early]):
                return late, "addresses", f"overlap with those of '{sources[early].label}'"
        reaching.append(span)
    return None
