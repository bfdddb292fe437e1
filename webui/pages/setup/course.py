"""From screen to screen: a page of the first boot is shown in its turn only."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from appliance.control import messages
from webui import paper
from webui.first_boot import FirstBoot, NoSetUp
from webui.pages.setup.draft import Draft, Screen, current, may_see
from webui.rights import Person, Role
from webui.routing import Asked, Moved, Refusal, Reply
from webui.wording import said

START = "/setup"

Answered = TypeVar("Answered")


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


TITLES = {
    Screen.BEGIN: _("Welcome"),
    Screen.FACTOR: _("Second factor"),
    Screen.SITE: _("The site"),
    Screen.CUSTODIANS: _("Key custodians"),
    Screen.CENTRALS: _("Copies elsewhere"),
    Screen.TESTS: _("Last checks"),
}


def on(screen: Screen, show: Callable[[Asked, Draft], Reply]) -> Callable[[Asked], Reply]:
    """A page that is shown only when its screen may be seen; else the one that is due is shown."""

    def in_turn(asked: Asked) -> Reply:
        try:
            draft = boot(asked).draft(asked.session)
            return show(asked, draft) if may_see(draft, screen) else Moved(address(current(draft)))
        except NoSetUp:
            return Moved(START)

    return in_turn


def boot(asked: Asked) -> FirstBoot:
    """The first boot that is under way. Raises NoSetUp where there is none."""
    under_way = asked.site.first_boot
    if under_way is None:
        raise NoSetUp
    found: FirstBoot = under_way
    return found


def address(screen: Screen) -> str:
    """Where a screen is."""
    return START if screen is Screen.BEGIN else f"{START}/{screen}"


def change(asked: Asked, how: Callable[[Draft], Draft]) -> Draft:
    """Take down what was told."""
    return boot(asked).change(asked.session, how)


def tell(asked: Asked, draft: Draft, ask: messages.Ask, expected: type[Answered]) -> Answered:
    """Ask the keeper in the name of the administrator to be. Raises Refusal."""
    name = draft.administrator.name if draft.administrator else ""
    answer: Answered = replace(asked, person=Person(name, Role.OPERATOR)).tell(ask, expected)
    return answer


def refused(asked: Asked, text: str, field: str = "", **values: object) -> Refusal:
    """A refusal in the person's language, about a field of the form."""
    return Refusal(said(asked.language, text, **values), field=field)


def check_letters(asked: Asked, text: str, field: str) -> None:
    """What stands on a recovery sheet must be in its letters. Raises Refusal."""
    if strange := paper.unprintable(text):
        sentence = _("The documents cannot print these letters: %(letters)s")
        raise refused(asked, sentence, field, letters=strange[:20])


def head(asked: Asked, screen: Screen) -> dict[str, Any]:
    """What every screen shows: its title and where in the course it stands."""
    order = list(Screen)
    return {
        "step_title": said(asked.language, TITLES[screen]),
        "step_titles": [said(asked.language, TITLES[one]) for one in order],
        "step": order.index(screen) + 1,
        "steps": len(order),
    }
