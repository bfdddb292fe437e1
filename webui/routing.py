"""What a page is: a function from what was asked to what is answered, and the right that it needs. Pure.

A page never sees the request of the web server: `guard` has checked session, right, origin and token before,
and sets every header after.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from appliance.control import messages
from webui import rights
from webui.rights import Person, Right

Answered = TypeVar("Answered")


@dataclass(frozen=True)
class Upload:
    """A file of a form, whole; bounded by `guard`."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Asked:
    """One request. `path` holds the named pieces of the route.

    `query` and `form` hold the first value of each key, `fields` all of a form's.
    """

    method: str
    url: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    fields: Mapping[str, tuple[str, ...]]
    files: Mapping[str, Upload]
    person: Person | None
    session: str
    """The session's number, not its secret; empty without one."""
    origin: str
    """The address that the request came from."""
    language: str
    site: Any
    """webui.site.Site: what this process was started with."""
    agent: str = ""
    """What the browser calls itself."""
    seat: Any = None
    """webui.accounts.seats.Seat: how far a session is on its way in; None for an anonymous visitor's."""
    device: str = ""
    """The secret of a browser from which somebody has signed in before; empty without one."""

    def may(self, right: Right) -> bool:
        """Whether who asks may do this at this site."""
        return self.person is not None and rights.may(self.person, right, self.site.accounts.client())

    def tell(self, ask: messages.Ask, expected: type[Answered]) -> Answered:
        """The keeper's answer. Raises Refusal with its sentence, or that it does not answer."""
        answer: Answered = self.site.tell(self, ask, expected)
        return answer


@dataclass(frozen=True)
class Shown:
    """A page: a template and what it shows."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Moved:
    """See other: after every change, so that a reload changes nothing again. `notice` is shown once there.

    `session` is a new secret for the browser's cookie, `device` one that says that it is known.
    """

    to: str
    notice: str = ""
    session: str = ""
    device: str = ""


@dataclass(frozen=True)
class Saved:
    """A file to be saved, or shown where `inline`."""

    name: str
    content_type: str
    content: bytes
    inline: bool = False


@dataclass(frozen=True)
class Streamed:
    """Server-sent events: each piece is one event's text. Without a piece: 204, do not come back."""

    pieces: Iterable[str]


Reply: TypeAlias = Shown | Moved | Saved | Streamed


class Refusal(Exception):
    """Not done: a sentence in the person's language, and a field of the form that it is about.

    `said` is the box's own sentence where it was the box that refused.
    """

    def __init__(self, sentence: str, field: str = "", said: str = "", status: int = 400) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field
        self.said = said
        self.status = status


@dataclass(frozen=True)
class Route:
    """`path` in bottle's form (`/sources/<label>`). `menu` names the entry that is marked then.

    A change that is refused shows its form again: the page at `form`, or else at the same path.
    """

    method: str
    path: str
    right: Right
    show: Callable[[Asked], Reply]
    menu: str = ""
    form: str = ""
