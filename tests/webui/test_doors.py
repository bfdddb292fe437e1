"""The ways in, of oneself and of others: every stage, as a browser without scripts goes through them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyotp
import pytest

from appliance.control import messages
from tests.webui.made_answers import made_keeper
from tests.webui.visiting import PASSWORD, Answer, Clock, Visitor, add, made_site, signed_in, visitor
from webui.rights import Role

ANOTHER = "brume-cerise-pont-77"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Any]:
    clock = Clock()
    made = made_site(tmp_path, made_keeper("good", clock()), clock)
    yield made
    made.accounts.close()


def code_of(site: Any, secret: str) -> str:
    return pyotp.TOTP(secret.replace(" ", "")).at(site.clock() // 10**9)


def secret_on(page: Answer) -> str:
    found = re.search(r'<code class="key">([A-Z2-7 ]+)</code>', page.text)
    assert found
    return found[1]


def enter(browser: Visitor, name: str, password: str) -> Answer:
    return browser.post("/sign-in", {"name": name, "password": password}, browser.get("/sign-in").token)


def test_from_a_given_password_to_the_first_page(site: Any) -> None:
    operator = signed_in(site)
    made = operator.post("/users", {"name": "Zoé Martin", "role": "site-manager", "extras": "see-connected"})
    assert made.status == 303
    shown = operator.get(made.header("Location"))
    given = re.search(r'<code class="key">([a-z2-9-]+)</code>', shown.text)
    assert given
    browser = visitor(site)
    assert enter(browser, "zoé martin", given[1]).header("Location") == "/sign-in/password?next=/"
    assert browser.get("/account").header("Location").startswith("/sign-in")
    page = browser.get("/sign-in/password")
    again = {"new_password": ANOTHER, "password_again": ANOTHER}
    assert browser.post("/sign-in/password", again, page.token).header("Location") == "/sign-in/factor?next=/"
    page = browser.get("/sign-in/factor")
    code = code_of(site, secret_on(page))
    answer = browser.post("/sign-in/factor", {"code": code, "next": "/"}, page.token)
    assert answer.header("Location") == "/account/recovery-codes?next=/"
    page = browser.get("/account/recovery-codes?next=/")
    codes = re.findall(r"<code>([A-Z2-9-]{19})</code>", page.text)
    assert len(codes) == 10
    assert browser.post("/account/recovery-codes", {"next": "/"}, page.token).header("Location") == "/"
    assert browser.get("/account/recovery-codes").status == 303
    assert "Zoé Martin" in browser.get("/").text
    anew = visitor(site)
    enter(anew, "Zoé Martin", ANOTHER)
    refused = anew.post("/sign-in/code", {"code": code}, anew.get("/sign-in/code").token)
    assert refused.status == 403, "a code is taken once"
    token = anew.get("/sign-in/code").token
    assert anew.post("/sign-in/code", {"code": codes[0].lower()}, token).header("Location") == "/"
    steps = [ask.step for _, ask in site.keeper.asked if type(ask).__name__ == "NoteStep"]
    for step in (
        "add-user",
        "change-password",
        "set-factor",
        "sign-in",
        "sign-in-refused",
        "use-recovery-code",
    ):
        assert step in steps


def test_a_recovery_code_is_taken_once(site: Any) -> None:
    add(site, "Éva", Role.OPERATOR)
    site.accounts.users.set_factor(1, pyotp.random_base32(), 0, ("AAAA-BBBB-CCCC-DDDD",))
    for expected in (303, 403):
        browser = visitor(site)
        enter(browser, "Éva", PASSWORD)
        token = browser.get("/sign-in/code").token
        assert browser.post("/sign-in/code", {"code": "aaaabbbbccccdddd"}, token).status == expected


def test_own_account(site: Any) -> None:
    me = signed_in(site, name="Éva")
    elsewhere = visitor(site)
    elsewhere.cookies["__Host-greffier"] = site.accounts.begin("Éva", elsewhere.agent, elsewhere.address)
    page = me.get("/account")
    assert "Where you are signed in" in page.text
    wrong = {"current": "no", "new_password": ANOTHER, "password_again": ANOTHER}
    assert me.post("/account/password", wrong, page.token).status == 403
    weak = {"current": PASSWORD, "new_password": "azertyuiop12", "password_again": "azertyuiop12"}
    refused = me.post("/account/password", weak)
    assert refused.status == 400
    assert "burglar" in refused.text
    assert elsewhere.get("/account").status == 200
    before = me.cookies["__Host-greffier"]
    right = {"current": PASSWORD, "new_password": ANOTHER, "password_again": ANOTHER}
    assert me.post("/account/password", right).header("Location") == "/account"
    assert me.cookies["__Host-greffier"] != before
    assert me.get("/account").status == 200
    assert elsewhere.get("/account").status == 303, "a changed password ends every other session"


def test_another_phone_and_other_codes(site: Any) -> None:
    me = signed_in(site, name="Éva")
    page = me.get("/account/factor")
    code = code_of(site, secret_on(page))
    assert me.post("/account/factor", {"code": "000000", "current": PASSWORD}).status == 400
    assert secret_on(me.get("/account/factor")) == secret_on(page), "the picture stays until it is proven"
    answer = me.post("/account/factor", {"code": code, "current": PASSWORD})
    assert answer.header("Location") == "/account/recovery-codes"
    first = re.findall(r"<code>([A-Z2-9-]{19})</code>", me.get("/account/recovery-codes").text)
    assert me.post("/account/recovery-codes/new", {"current": PASSWORD}).status == 303
    second = re.findall(r"<code>([A-Z2-9-]{19})</code>", me.get("/account/recovery-codes").text)
    assert first
    assert second
    assert not set(first) & set(second)


def test_users_are_changed_reset_and_removed(site: Any) -> None:
    operator = signed_in(site, name="Éva")
    other = signed_in(site, Role.AUDITOR, "Paul")
    assert other.get("/users").status == 200
    assert other.post("/users", {"name": "x", "role": "auditor"}).status == 403
    assert (
        operator.post("/users/2", {"role": "site-manager", "extras": ["see-audit", "change-users"]}).status
        == 303
    )
    assert other.get("/users").status == 303, "other rights end what was open"
    changed = site.accounts.users.get(2)
    assert [right.value for right in changed.extras] == ["see-audit"], "only what may be granted"
    assert operator.post("/users/2/reset", {"factor": "yes"}).status == 303
    assert "shown only now" in operator.get("/users/2").text
    assert operator.post("/users/2/remove").header("Location") == "/users"
    assert operator.get("/users/2").status == 404
    assert operator.post("/users/1/remove").status == 403, "not oneself"
    assert operator.post("/users/1", {"role": "auditor"}).status == 403
    assert operator.post("/users/rules", {"rotation_days": "90"}).status == 303
    assert site.accounts.rotation_days() == 90
    assert operator.post("/users/rules", {"rotation_days": "3"}).status == 400


OTHER = {"current": PASSWORD, "new_password": ANOTHER, "password_again": ANOTHER}
CHANGES = (
    ("/users", {"name": "Zoé", "role": "auditor"}, "add-user"),
    ("/users/2", {"role": "auditor"}, "change-user"),
    ("/users/2/reset", {"factor": "yes"}, "reset-user remove-factor"),
    ("/users/2/end-sessions", {}, "end-sessions"),
    ("/users/2/remove", {}, "remove-user"),
    ("/users/rules", {"rotation_days": "90"}, "change-rules"),
    (
        "/account/password",
        {"current": PASSWORD, "new_password": ANOTHER, "password_again": ANOTHER},
        "change-password",
    ),
    ("/account/recovery-codes/new", {"current": PASSWORD}, "make-recovery-codes"),
    ("/account/sessions/end", {"session": "x"}, "end-sessions"),
    ("/account/sessions/end-others", {}, "end-sessions"),
)


class Unwilling:
    """A keeper that can note nothing."""

    def ask(self, actor: Any, ask: Any) -> Any:
        return messages.Refused("StorageError", "the disk is full")


@pytest.mark.parametrize(("url", "form", "steps"), CHANGES, ids=lambda value: str(value)[:30])
def test_every_change_is_noted_first_and_not_made_where_it_cannot_be(
    site: Any, url: str, form: dict[str, str], steps: str
) -> None:
    operator = signed_in(site, name="Éva")
    signed_in(site, Role.SITE_MANAGER, "Paul", clients=("",))
    before = site.accounts.users.all(), site.accounts.rotation_days(), site.accounts.sessions.open_of(2)
    unwilling = visitor(replace(site, keeper=Unwilling()))
    unwilling.cookies = dict(operator.cookies)
    refused = unwilling.post(url, form)
    assert refused.status == 400
    assert "the disk is full" in refused.text
    assert (
        site.accounts.users.all(), site.accounts.rotation_days(), site.accounts.sessions.open_of(2)
    ) == before  # fmt: skip
    assert operator.post(url, form).status == 303
    noted = [ask.step for _, ask in site.keeper.asked if isinstance(ask, messages.NoteStep)]
    assert noted == steps.split()
