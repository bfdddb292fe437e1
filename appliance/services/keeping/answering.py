"""Every question to its handler; every change to the audit chain first. No error goes further."""

import sys
import threading
import traceback
from collections.abc import Callable

from appliance.audit import book
from appliance.control.messages import (
    Actor,
    Answer,
    Ask,
    AskCentral,
    AskInterfaces,
    AskTests,
    EnrolCentral,
    Question,
    Refused,
    Request,
    SetUp,
)
from appliance.control.steps import Step
from appliance.model.errors import GreffierError
from appliance.services.keeping import (
    activity,
    audited,
    box,
    centrals,
    checks,
    coverage,
    interfaces,
    kept,
    law,
    live,
    overview,
    present,
    replication,
    sources,
)
from appliance.services.keeping.at_hand import AtHand, Changes, Handlers

HANDLERS: Handlers = {
    **activity.HANDLERS,
    **audited.HANDLERS,
    **box.HANDLERS,
    **centrals.HANDLERS,
    **checks.HANDLERS,
    **coverage.HANDLERS,
    **interfaces.HANDLERS,
    **kept.HANDLERS,
    **live.HANDLERS,
    **overview.HANDLERS,
    **present.HANDLERS,
    **replication.HANDLERS,
    **sources.HANDLERS,
}

CHANGES: Changes = {**box.CHANGES, **centrals.CHANGES, **law.CHANGES, **sources.CHANGES}

SLOW: frozenset[type[Question]] = frozenset({AskInterfaces, AskCentral, AskTests, EnrolCentral})
"""What listens to interfaces or asks somebody far away."""


def complain(sentence: str) -> None:
    """Say it where a service says such things."""
    sys.stderr.write(f"greffier: {sentence}\n")
    sys.stderr.flush()


class Answering:
    """Answers any request; never raises."""

    def __init__(self, at: AtHand, told: Callable[[str], None] = complain) -> None:
        self._at = at
        self._told = told

    def __call__(self, request: Request) -> Answer:
        try:
            return self._answer(request.actor, request.ask)
        except GreffierError as error:
            return Refused(type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001  the page is told that it failed, not how: that is for our log
            self._told(f"cannot answer {type(request.ask).__name__}: a defect, {_where(error)}")
            return Refused("Defect", "this is a defect of Greffier; see 'journalctl -u greffier-keeper'")

    def _answer(self, actor: Actor, ask: Ask) -> Answer:
        if isinstance(ask, SetUp):
            return self._set_up(actor, ask)
        change = CHANGES.get(type(ask))
        if change:
            change.check(self._at, actor, ask)
            with book.noted(
                self._at.home(),
                actor,
                Step(change.step),
                change.subject(ask),
                change.details(ask),
                self._at.clock,
            ):
                return change.handler(self._at, actor, ask)
        handler = HANDLERS.get(type(ask))
        if handler is None:
            return Refused("ControlError", f"nobody answers {type(ask).__name__} yet")
        return handler(self._at, actor, ask)

    def _set_up(self, actor: Actor, ask: SetUp) -> Answer:
        """Before there is a home there is no book: the line is its first."""
        with self._at.once("set up", threading.Lock):
            done = box.set_up(self._at, ask)
        book.note(self._at.home(), actor, Step.SET_UP, ask.site, clock=self._at.clock)
        return done


def _where(error: Exception) -> str:
    """Kind and place: what the error says may hold anything, and logs hold no address."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.filename.rpartition('/')[2]} line {last.lineno}"
