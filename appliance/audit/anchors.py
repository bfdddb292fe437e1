"""Anchors: lines of the seal chain that name the head of the audit chain, so that centrals have it too.

Whoever holds box.key can write another audit chain; he cannot take back what a central has signed for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.audit import volume
from appliance.model.errors import StorageError
from appliance.model.instants import HOUR_NS
from appliance.runtime import locks, ownership
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import write_once
from appliance.vault import canonical
from appliance.vault import chain as chains
from appliance.vault.chain import Chain, Entry
from appliance.vault.names import Home
from appliance.vault.seals import AuditAnchor

NOT_BEFORE_NS = HOUR_NS
"""From one anchor to the next; the keeper asks every hour, 'greffier retention' every day."""


@dataclass(frozen=True)
class _Last:
    """The newest anchor: what it names, and when it was written."""

    anchor: AuditAnchor | None
    at_ns: int


def anchor(home: Home, clock: Clock = now_ns) -> Entry | None:
    """Anchor the audit chain if it has grown and the last anchor is an hour old; the line written.

    Raises HomeError, StorageError.
    """
    if not volume.path_of(home).exists():
        return None
    with locks.exclusive(home.state / "audit.lock"):
        head = volume.head(home)
        last = _last(home)
        due = AuditAnchor(head.seq + 1, head.hash)
        # Not "more lines than then": a book that was cut has fewer, and is anchored on all the same.
        if head.seq < 0 or due == last.anchor or 0 <= clock() - last.at_ns < NOT_BEFORE_NS:
            return None
        chain = Chain.open(home)
        chain.clock = clock
        [entry] = chain.append([due])
        _remember(home, due, entry.at_ns)
        return entry


def of(entries: Iterable[Entry]) -> list[tuple[Entry, AuditAnchor]]:
    """The anchors of a seal chain, in order."""
    return [(entry, entry.body) for entry in entries if isinstance(entry.body, AuditAnchor)]


def _last(home: Home) -> _Last:
    """As remembered, else out of the chain. Only the pace hangs on it, so that it need not be proven."""
    try:
        told = canonical.decode(_memory(home).read_bytes().removesuffix(b"\n"))
        return _Last(AuditAnchor(int(told["lines"]), str(told["hash"])), int(told["at_ns"]))
    except (OSError, ValueError, KeyError, TypeError):
        found = of(chains.read(home))
        return _Last(found[-1][1], found[-1][0].at_ns) if found else _Last(None, -NOT_BEFORE_NS)


def _remember(home: Home, last: AuditAnchor, at_ns: int) -> None:
    told = {"lines": last.audit_lines, "hash": last.audit_hash, "at_ns": at_ns}
    content = canonical.encode(told) + b"\n"
    try:
        write_once(_memory(home), content)
        ownership.as_of(home.path, _memory(home))
    except StorageError:
        _memory(home).unlink(missing_ok=True)


def _memory(home: Home) -> Path:
    return home.state / "audit-anchor"
