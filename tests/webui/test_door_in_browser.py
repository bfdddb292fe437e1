"""The door in a real browser: by keyboard alone, and what another site achieves there: nothing."""

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from appliance.runtime.clock import now_ns
from tests.webui import browser as chromium
from tests.webui.visiting import PASSWORD, add
from webui.rights import Role


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = chromium.started(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Served]:
    with chromium.served(tmp_path_factory.mktemp("page")) as served:
        yield served


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, at: chromium.Served) -> Iterator[str]:
    """Another site: it frames the page, and sends its forms."""
    folder = tmp_path_factory.mktemp("evil")
    (folder / "frame.html").write_text(f'<iframe src="{at.url}/users" width="800" height="600"></iframe>')
    (folder / "form.html").write_text(
        f'<form method="post" action="{at.url}/users/rules"><input name="rotation_days" value="365">'
        f'<input name="csrf" value="{"0" * 64}"></form><script>document.forms[0].submit()</script>'
    )

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def typed(page: Page, *texts: str) -> None:
    """Type into one field after the other, and send."""
    for number, text in enumerate(texts):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(text)
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("script", [True, False])
def test_by_keyboard_through_both_doors(started: Browser, at: chromium.Served, script: bool) -> None:
    name = f"Zoé {script}"
    add(at.site, name, Role.SITE_MANAGER, clients=("Hôtel du Port",))
    secret = pyotp.random_base32()
    number = at.site.accounts.users.named(name).id
    at.site.accounts.users.set_factor(number, secret, 0, ())
    with chromium.looking(started, at, role=None, script=script) as looked:
        page = looked.page
        page.goto(f"{at.url}/activity")
        assert page.url == f"{at.url}/sign-in?next=/activity"
        page.focus("[name=name]")
        typed(page, name, PASSWORD)
        assert "/sign-in/code" in page.url
        page.focus("[name=code]")
        typed(page, pyotp.TOTP(secret).at(now_ns() // 10**9))
        assert page.url == f"{at.url}/activity"
        assert looked.wrong == []
        page.goto(f"{at.url}/account")
        page.locator("button:has-text('Se déconnecter')").locator("visible=true").first.click()
        page.wait_for_url(re.compile("/sign-in"))
        page.goto(f"{at.url}/account")
        assert "/sign-in" in page.url


def test_a_wrong_password_is_said_to_a_screen_reader(started: Browser, at: chromium.Served) -> None:
    with chromium.looking(started, at, role=None) as looked:
        looked.page.goto(f"{at.url}/sign-in")
        looked.page.focus("[name=name]")
        typed(looked.page, "Personne", "rien de bon ici")
        alert = looked.page.locator("[role=alert]")
        assert "n’est pas le bon" in alert.inner_text()
        assert looked.page.locator("[name=name]").input_value() == "Personne"
        assert chromium.violations(looked.page) == []


def test_another_site_can_neither_frame_it_nor_send_a_form(
    started: Browser, at: chromium.Served, elsewhere: str
) -> None:
    with chromium.visiting(started, at) as context, chromium.tab(context) as looked:
        looked.page.goto(f"{elsewhere}/frame.html")
        looked.page.wait_for_timeout(300)
        framed = [frame for frame in looked.page.frames if frame.parent_frame]
        assert framed
        assert all(at.url not in frame.url and "Claire" not in frame.content() for frame in framed)
        before = at.site.accounts.rotation_days()
        with looked.page.expect_response(re.compile("/users/rules")) as answered:
            looked.page.goto(f"{elsewhere}/form.html")
        assert answered.value.status in (303, 403), "without the cookie to the door, with it refused"
        assert at.site.accounts.rotation_days() == before == 0


def test_no_script_of_the_page_can_read_the_cookie(started: Browser, at: chromium.Served) -> None:
    with chromium.visiting(started, at) as context, chromium.tab(context) as looked:
        looked.page.goto(f"{at.url}/account")
        assert looked.page.evaluate("document.cookie") == ""
        kept = {cookie["name"]: cookie for cookie in context.cookies()}
        assert kept["__Host-greffier"]["httpOnly"]
        assert kept["__Host-greffier"]["secure"]
