"""What was seen and what was not, out of what seals state and what processes that live say since."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.model.coverage import Coverage
from appliance.runtime import recorder_state
from appliance.vault import liveness, periods
from appliance.vault.catalogue import Catalogue
from appliance.vault.names import Home
from appliance.vault.periods import Gap


@dataclass(frozen=True)
class Covered:
    """The periods of all sources, by source and in order of time, and the gaps between them."""

    seen: tuple[Coverage, ...]
    silent: tuple[Gap, ...]

    def between(self, from_ns: int, until_ns: int) -> "Covered":
        """What touches [from, until); counts cannot be cut, so periods and gaps stay whole."""
        return Covered(
            tuple(periods.clipped(self.seen, from_ns, until_ns)),
            tuple(gap for gap in self.silent if gap.from_ns < until_ns and gap.until_ns >= from_ns),
        )


def covered(home: Home, catalogue: Catalogue, now_ns: int) -> Covered:
    """All that there is."""
    return since(home, catalogue, sealed(catalogue), now_ns)


def sealed(catalogue: Catalogue) -> list[Coverage]:
    """The periods that seals state, joined."""
    return periods.joined(periods.stated(catalogue))


def since(home: Home, catalogue: Catalogue, stated: Sequence[Coverage], now_ns: int) -> Covered:
    """What `sealed` gave, with what processes that live have given since their last seal."""
    parts = list(stated)
    for state in recorder_state.read_all(home.state):
        if liveness.is_live(home, state.run):
            for source in state.sources:
                parts += periods.unsealed(state, source, catalogue)
    whole = periods.joined(parts)
    return Covered(tuple(whole), tuple(periods.gaps(whole, now_ns)))
