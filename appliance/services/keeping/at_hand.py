"""What a question finds at hand: the home, its chain as far as it is read, the clock."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from appliance.control.messages import Actor, Answer, Question
from appliance.runtime.clock import Clock, now_ns
from appliance.services.keeping.chain_now import ChainNow, ChainReader
from appliance.vault import homes
from appliance.vault.names import Home

Made = TypeVar("Made")


class AtHand:
    """One for the life of the keeper, shared by all of its threads."""

    def __init__(self, path: Path, clock: Clock = now_ns) -> None:
        self.path = path
        self.clock = clock
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}

    @property
    def is_set_up(self) -> bool:
        """Whether there is a home."""
        home = Home(self.path)
        return home.config.is_file() and home.chain.is_file()

    def home(self) -> Home:
        """The home of the box. Raises HomeError before it is set up."""
        return homes.existing(self.path)

    def chain(self) -> ChainNow:
        """What the chain says now. Raises HomeError."""
        return self.once("chain", lambda: ChainReader(Home(self.path))).now()

    def once(self, key: str, make: Callable[[], Made]) -> Made:
        """What was made at the first call under this key: a room's own memory between two questions."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            found: Made = self._made[key]
            return found


Handler: TypeAlias = Callable[[AtHand, Actor, Any], Answer]
"""Answers one type of question. What it raises of our errors becomes Refused."""

Handlers: TypeAlias = Mapping[type[Question], Handler]


@dataclass(frozen=True)
class Change:
    """A question that changes something: a line of the audit chain is written before it is begun.

    `step` is the word of that line, `subject` and `details` what else it says, never a secret. `check` comes
    before the line: it raises what refuses a change that cannot be meant, which is no step that was taken.
    """

    handler: Handler
    step: str
    subject: Callable[[Any], str] = lambda ask: ""
    details: Callable[[Any], dict[str, str]] = lambda ask: {}
    check: Callable[[AtHand, Actor, Any], None] = lambda at, actor, ask: None


Changes: TypeAlias = Mapping[type[Question], Change]
