"""What the page's process was started with: the way to the keeper, its own folder, the clock, the words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from appliance.control.client import Client
from appliance.control.messages import Actor, Ask, Refused
from appliance.model.errors import ControlError
from webui.looks import Looks
from webui.notices import Notices
from webui.routing import Asked, Refusal
from webui.watch import Watch

Answered = TypeVar("Answered")


@dataclass(frozen=True)
class Site:
    """`state` is the page's own folder, for accounts, sessions and settings; it holds nothing of a record."""

    keeper: Client
    state: Path
    clock: Callable[[], int]
    accounts: Any
    """webui.accounts: who may sign in."""
    settings: Any
    """webui.settings: what the site calls its networks, and how its page looks."""

    names: frozenset[str] = frozenset()
    """Names of the box beside those of the LAN: a page that is asked for by another name is refused."""
    debug: bool = False
    """Defects are logged in full: what a foreign error says may hold an address."""
    notices: Notices = field(default_factory=Notices)
    """What the next page of a session says once."""
    looks: Looks = field(default_factory=Looks)
    """What was noted in the journal already: who looked at what."""
    watch: Watch = field(default_factory=Watch)
    """What moves, for all who look at it."""
    first_boot: Any = None
    """webui.first_boot: the set-up that is under way; None once it is done."""

    def tell(self, asked: Asked, ask: Ask, expected: type[Answered]) -> Answered:
        """Ask the keeper in the name of the one who asks. Raises Refusal."""
        person = asked.person
        actor = Actor(person.name if person else "", str(person.role) if person else "", asked.origin)
        try:
            answer = self.keeper.ask(actor, ask)
        except ControlError as error:
            raise Refusal("", said=str(error), status=503) from error
        if isinstance(answer, Refused):
            raise Refusal("", said=answer.said)
        if not isinstance(answer, expected):
            raise Refusal("", said="the keeper answered something else", status=502)
        return answer
