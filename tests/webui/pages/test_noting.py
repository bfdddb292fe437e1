"""A change of the page's own is noted before it is made, and what could not be made has a second line."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.control import messages as m
from tests.webui.made_answers import MadeKeeper
from tests.webui.visiting import PASSWORD, Clock, add, made_site, signed_in
from webui.rights import Role

CLOCK = Clock()


class Numbering(MadeKeeper):
    """Says the number of each line, as the keeper does."""

    def ask(self, actor: m.Actor, ask: Any) -> m.Answer:
        answer = super().ask(actor, ask)
        return m.Done(str(len(self.notes()) - 1)) if isinstance(ask, m.NoteStep) else answer

    def notes(self) -> list[m.NoteStep]:
        return [ask for _actor, ask in self.asked if isinstance(ask, m.NoteStep)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Any]:
    made = made_site(tmp_path, Numbering("good", CLOCK()), CLOCK)
    yield made
    made.accounts.close()


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """By the limit of a file's size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


CHANGES = (
    ("/users", {"name": "Zoé", "role": "auditor"}, "add-user"),
    ("/users/rules", {"rotation_days": "90"}, "change-rules"),
    ("/users/1", {"role": "auditor"}, "change-user"),
    ("/users/1/reset", {}, "reset-user"),
    ("/users/1/remove", {}, "remove-user"),
    ("/account/recovery-codes/new", {"current": PASSWORD}, "make-recovery-codes"),
)


@pytest.mark.parametrize(("path", "form", "step"), CHANGES, ids=str)
def test_what_the_disk_refuses_is_noted_as_failed(
    site: Any, path: str, form: dict[str, str], step: str
) -> None:
    add(site, "Paul", Role.AUDITOR)
    browser = signed_in(site, name="Éva")
    browser.get("/users")
    before = len(site.keeper.notes())
    with full_disk():
        assert browser.post(path, form).status == 503
    begun, failed = site.keeper.notes()[before:]
    assert (begun.step, failed.step, begun.subject) == (step, step, failed.subject)
    assert begun.details["ended"] == "begun"
    assert failed.details == {"ended": "failed", "line": str(before), "error": "StorageError"}


def test_what_is_made_has_one_line(site: Any) -> None:
    browser = signed_in(site, name="Éva")
    browser.get("/users")
    before = len(site.keeper.notes())
    assert browser.post("/users", {"name": "Zoé", "role": "auditor"}).status == 303
    [line] = site.keeper.notes()[before:]
    assert (line.step, line.subject, line.details["ended"]) == ("add-user", "Zoé", "begun")


def test_a_user_has_one_address(site: Any) -> None:
    browser = signed_in(site, name="Éva")
    assert browser.get("/users/1").status == 200
    assert browser.get("/users/\u0661").status == 404, "an Arabic one"
