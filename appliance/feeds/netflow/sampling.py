"""What devices say of themselves in options records: how they sample, and when they began to count."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.netflow.records import U64, Columns

NAMES_LIMIT = 1024
"""Samplers, interfaces and templates of one domain that a rate is remembered for."""

RATE_LIMIT = 2**32 - 1
INIT_LIMIT_MS = 2**43  # the year 2248
_SCOPES = ("sampler", "template", "interface")


@dataclass(slots=True)
class Sampling:
    """How one observation domain samples: one packet in `rate`, said for all of it or for each of these."""

    rate: int = 0
    init_ms: int = 0
    named: dict[tuple[str, int], int] = field(default_factory=dict)

    def learn(self, columns: Columns) -> bool:
        """Take options records; whether anything is new."""
        rates = stated_rates(columns)
        scope = next((name for name in _SCOPES if columns.has(name)), "")
        if columns.has("init_ms") and len(columns):
            began = min(int(columns.number("init_ms")[-1]), INIT_LIMIT_MS)
            changed = began != self.init_ms
            self.init_ms = began
        else:
            changed = False
        if not columns.has("interval", "chosen"):
            return changed
        if not scope:
            latest = int(rates[-1]) if len(rates) else self.rate
            changed |= latest != self.rate
            self.rate = latest
            return changed
        for number, rate in _latest(columns.number(scope), rates):
            name = (scope, number)
            if self.named.get(name) != rate and (name in self.named or len(self.named) < NAMES_LIMIT):
                self.named[name] = rate
                changed = True
        return changed

    def rates(self, columns: Columns) -> NDArray[np.uint32]:
        """(n,) one packet in so many was looked at, as the record itself says it, else its domain."""
        found = stated_rates(columns) if columns.has("interval", "chosen") else None
        rates = np.zeros(len(columns), np.uint32) if found is None else found
        if not rates.all():
            whole = self.named.get(("template", columns.template.number), self.rate)
            rates = np.where(rates == 0, np.uint32(whole), rates)
            for scope in ("interface", "sampler"):
                if columns.has(scope) and any(name == scope for name, _ in self.named):
                    rates = self._look_up(scope, columns.number(scope), rates)
        return rates

    def _look_up(self, scope: str, numbers: U64, rates: NDArray[np.uint32]) -> NDArray[np.uint32]:
        unique, which = np.unique(numbers, return_inverse=True)
        known = np.array([self.named.get((scope, number), 0) for number in unique.tolist()], np.uint32)[which]
        return np.where(known != 0, known, rates)


def stated_rates(columns: Columns) -> NDArray[np.uint32]:
    """(n,) one packet in so many; 0 where a record does not say."""
    rates = columns.number("interval")
    if columns.has("chosen"):
        chosen = columns.number("chosen")
        total = (
            columns.number("population") if columns.has("population") else chosen + columns.number("passed")
        )
        rates = np.where(rates == 0, total // np.maximum(chosen, np.uint64(1)), rates)
    return np.minimum(rates, np.uint64(RATE_LIMIT)).astype(np.uint32)


def _latest(numbers: U64, rates: NDArray[np.uint32]) -> Iterator[tuple[int, int]]:
    """What was said last of each number."""
    unique, at = np.unique(numbers[::-1], return_index=True)
    yield from zip(unique.tolist(), rates[::-1][at].tolist(), strict=True)
