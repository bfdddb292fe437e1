"""How the box stands, kept between two questions as far as it cannot have changed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from appliance.config import box
from appliance.config.box import BoxConfig
from appliance.model.instants import MINUTE_NS, day_of
from appliance.retention import destruction
from appliance.services import kept as keeps
from appliance.services import status
from appliance.services.keeping.at_hand import AtHand
from appliance.services.keeping.copies import copies
from appliance.services.status import Chained, Status
from appliance.vault import chain


@dataclass
class Remembered:
    """The last value made under each name, and what it was made of; safe between threads."""

    lock: Any = field(default_factory=threading.RLock)
    made: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def of(self, name: str, basis: Any, make: Callable[[], Any]) -> Any:
        """The value made of this very basis."""
        with self.lock:  # of all names: what is made of a year shall not be made by many at once
            found = self.made.get(name)
            if found is None or found[0] != basis:
                found = self.made[name] = (basis, make())
            return found[1]


def settings(at: AtHand) -> BoxConfig:
    """box.toml as it is now. Raises HomeError."""
    path = at.home().config
    found = path.stat()
    basis = (found.st_ino, found.st_size, found.st_mtime_ns)
    config: BoxConfig = memory(at).of("settings", basis, lambda: box.read(path))
    return config


def chained(at: AtHand, config: BoxConfig) -> Chained:
    """What follows from the chain: put together anew when it has grown, and at midnight."""
    now_ns = at.clock()
    found = at.chain()
    today = day_of(now_ns)
    kept = memory(at).of(
        "kept",
        (found.version, today, tuple(config.term_years.items())),
        lambda: keeps.kept(found.catalogue, config, today),
    )
    doubt = memory(at).of(
        "doubt", (found.version, now_ns // MINUTE_NS), lambda: destruction.doubt(found.entries, now_ns)
    )
    return Chained(found.entries, found.catalogue, kept, doubt)


def standing(at: AtHand) -> Status:
    """As `greffier status` has it. Raises HomeError."""
    config = settings(at)
    noted = chain.known_head(at.home())
    return status.of(at.home(), config, noted, chained(at, config), copies(at), at.clock())


def memory(at: AtHand) -> Remembered:
    """What is kept of the chain and the settings between two questions."""
    return at.once("standing", Remembered)
