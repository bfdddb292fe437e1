"""The gate: who may speak is let in, everybody else is kept apart until declared.

A sender is known by its address; else by the MAC that the kernel's table of neighbours has for that address,
which is looked up once in a while, not for every message. `sources.toml` is read again when it changes; one
that cannot be read leaves in force what was declared before.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from pathlib import Path
from typing import Any

from appliance.capture import netlink
from appliance.config import sources
from appliance.feeds.likeness import likeness
from appliance.feeds.told import Messages
from appliance.model.addresses import mac_number, mac_text
from appliance.model.errors import HomeError
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.instants import NS, to_iso
from appliance.services.feeds.noticeboard import Noticeboard
from appliance.services.feeds.quarantine import Quarantine, Released, Sender
from appliance.vault.names import Home

NEIGHBOURS_EVERY_NS = 5 * NS
REMEMBERED_SENDERS = 65_536
SHOWN_SENDERS = 1000


def kernel_neighbours() -> dict[str, int]:
    """MAC numbers by address text, as the kernel knows them; none if it does not answer."""
    try:
        return {str(address): int.from_bytes(mac, "big") for address, mac in netlink.neighbours()}
    except OSError:
        return {}


def grammar_names() -> frozenset[str]:
    """The grammars there are; loading them takes a tenth of a second, which not everybody has to pay."""
    from appliance.feeds.syslog.registry import GRAMMARS

    return frozenset(grammar.name for grammar in GRAMMARS)


class Declarations:
    """Declared sources, made to be looked up by kind and address."""

    def __init__(self, declared: Sequence[DeclaredSource]) -> None:
        self._networks: dict[tuple[int, int], dict[int, list[DeclaredSource]]] = {}
        self._macs: dict[int, list[DeclaredSource]] = {}
        for source in declared:
            for text in source.addresses:
                network = ipaddress.ip_network(text)
                of_length = self._networks.setdefault((network.version, network.prefixlen), {})
                of_length.setdefault(int(network.network_address), []).append(source)
            if source.mac:
                self._macs.setdefault(mac_number(source.mac), []).append(source)

    @property
    def by_mac(self) -> bool:
        """Whether any source is known by its MAC."""
        return bool(self._macs)

    def match(self, kind: FeedKind, address: str, mac: int) -> DeclaredSource | None:
        """The source that speaks this kind from this address, or with this MAC (0: not known)."""
        try:
            number = ipaddress.ip_address(address)
        except ValueError:
            return None
        for (version, length), networks in self._networks.items():
            if version == number.version:
                low_bits = number.max_prefixlen - length
                for source in networks.get(int(number) >> low_bits << low_bits, ()):
                    if source.speaks(kind):
                        return source
        return next((source for source in self._macs.get(mac, ()) if source.speaks(kind)), None)


class Gate:
    """Lets declared senders in. Inert until `refresh`, which is to be called about once a second."""

    def __init__(
        self,
        home: Home,
        neighbours: Callable[[], dict[str, int]] = kernel_neighbours,
        grammars: Collection[str] | None = None,
    ) -> None:
        self.declared: tuple[DeclaredSource, ...] = ()
        self.fault = ""
        self.tls_fingerprint = ""
        self.board = Noticeboard(home.state)
        self._path = home.path / sources.NAME
        self._grammars = grammar_names() if grammars is None else grammars
        self._ask_neighbours = neighbours
        self._signature: tuple[int, ...] | None = ()
        self._declarations = Declarations(())
        self._known: dict[tuple[FeedKind, str], DeclaredSource | None] = {}
        self._macs: dict[str, int] = {}
        self._asked_ns = 0
        self._quarantine = Quarantine()
        self._given_up = 0
        self._arrived: dict[str, Counter[str]] = {}
        self._last_ns: dict[str, int] = {}

    def admit(
        self, kind: FeedKind, sender: str, messages: Messages, channel: Hashable = None
    ) -> DeclaredSource | None:
        """Who this sender is; None if nobody declared it, and its messages are kept as far as there is room.

        `sender` is canonical text without port and zone. The same object as long as its declaration stands.
        """
        key = (kind, sender)
        if key in self._known:
            source = self._known[key]
        else:
            if len(self._known) >= REMEMBERED_SENDERS:
                self._known.clear()
            source = self._known[key] = self._declarations.match(kind, sender, self._macs.get(sender, 0))
        if source is None:
            self._quarantine.keep(kind, sender, messages, channel)
        elif len(messages) and not source.must_show_certificate(kind):
            self._arrived.setdefault(source.label, Counter())[kind] += len(messages)
            self._last_ns[source.label] = int(messages.received_ns[-1])
        return source

    def by_certificate(self, sha256: str) -> DeclaredSource | None:
        """Who shows this certificate (SHA-256, hexadecimal), from wherever it connects."""
        wanted = sha256.lower().replace(":", "")
        return next((one for one in self.declared if wanted and one.certificate == wanted), None)

    def refresh(self, now_ns: int) -> bool:
        """Read again what has changed on the disk and on the network, and show how things stand."""
        changed = self._read()
        changed |= self._look_at_neighbours(now_ns)
        if changed:
            self._known.clear()
        self.board.open()
        self.board.post("tls_fingerprint", self.tls_fingerprint)
        self.board.post("quarantined", self._shown())
        self.board.post("arrived", self._arrivals())
        return changed

    def released(self) -> list[Released]:
        """What was kept of senders that are declared now; to be recorded as what it is."""
        released = self._quarantine.release(
            lambda kind, address: self._declarations.match(kind, address, self._macs.get(address, 0))
        )
        for one in released:
            label, last_ns = one.declared.label, int(one.messages.received_ns[-1])
            self._arrived.setdefault(label, Counter())[one.kind] += len(one.messages)
            self._last_ns[label] = max(last_ns, self._last_ns.get(label, 0))
        return released

    @property
    def kept_apart(self) -> int:
        """Messages that are kept now."""
        return sum(len(sender.kept) for sender in self._quarantine.senders)

    def dropped(self) -> int:
        """Messages given up for want of room, or of a certificate, since the last call."""
        dropped, self._given_up = self._quarantine.given_up - self._given_up, self._quarantine.given_up
        return dropped

    def close(self) -> int:
        """Listening ends: how many messages are still kept, and now lost."""
        self.board.close()
        return self._quarantine.close()

    def _read(self) -> bool:
        signature = _signature(self._path)
        if signature == self._signature:
            return False
        self._signature = signature
        # An editor that truncates and writes, or a slip of the hand: nobody undeclares everybody like that.
        if self.declared and (signature is None or not signature[-1]):
            self.fault = (
                f"{self._path} is gone or empty; what it said stays in force until it is back "
                "('greffier sources forget' takes a source out)"
            )
            return False
        try:
            declared = sources.read(self._path, self._grammars)
        except HomeError as error:
            self.fault = str(error)
            return False
        self.fault = ""
        same = {source: source for source in self.declared}
        changed = declared != self.declared
        self.declared = tuple(same.get(source, source) for source in declared)
        self._declarations = Declarations(self.declared)
        return changed

    def _look_at_neighbours(self, now_ns: int) -> bool:
        """Ask the kernel again, where MACs tell who may speak, or may be shown; whether anything changed."""
        wanted = self._declarations.by_mac or len(self._quarantine)
        if not wanted or 0 <= now_ns - self._asked_ns < NEIGHBOURS_EVERY_NS:
            return False
        self._asked_ns = now_ns
        before, self._macs = self._macs, self._ask_neighbours()
        return self._declarations.by_mac and self._macs != before

    def _shown(self) -> list[dict[str, Any]]:
        latest = sorted(self._quarantine.senders, key=lambda sender: -sender.last_ns)
        return [self._sender(sender) for sender in latest[:SHOWN_SENDERS]]

    def _sender(self, sender: Sender) -> dict[str, Any]:
        mac = self._macs.get(sender.address, 0)
        return {
            "address": sender.address,
            "mac": mac_text(mac) if mac else "",
            "kind": str(sender.kind),
            "looks": likeness(sender.beginning),
            "messages": sender.messages,
            "bytes": sender.size_bytes,
            "kept": len(sender.kept),
            "first": to_iso(sender.first_ns),
            "last": to_iso(sender.last_ns),
        }

    def _arrivals(self) -> dict[str, Any]:
        return {
            label: {"messages": dict(counts), "last": to_iso(self._last_ns.get(label, 0))}
            for label, counts in self._arrived.items()
        }


def _signature(path: Path) -> tuple[int, ...] | None:
    """What tells one version of a file from another."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
