"""The first boot as people see it, by keyboard; both languages, light and dark, two widths."""

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from appliance.runtime.clock import now_ns
from tests.webui.browser import (
    DESKTOP,
    PHONE,
    Looked,
    looking,
    overflow,
    photograph,
    served,
    started,
    violations,
)
from tests.webui.pages.setup.walking import CODE, NAME, NETWORK, PASSWORD, Keeper
from webui.first_boot import FirstBoot

FIRST_PAINT_OCTETS = 150_000
SIZES = {"390": PHONE, "1440": DESKTOP}
MOST_STEPS = 60
"""Of the Tab key on one screen."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = started(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def looked(browser: Browser, tmp_path: Path) -> Iterator[Looked]:
    boot = FirstBoot(CODE, now_ns, lambda: None)
    with (
        served(tmp_path, keeper=Keeper(tmp_path / "home"), first_boot=boot) as at,
        looking(browser, at, role=None, size=DESKTOP) as looked,
    ):
        looked.page.set_default_timeout(30_000)
        looked.page.goto(at.url)
        yield looked


def reach(page: Page, selector: str) -> None:
    """Step to it with the Tab key, as who has no mouse."""
    for _step in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by keyboard")


def fill(page: Page, **fields: str) -> None:
    for name, text in fields.items():
        reach(page, f"[name={name}]")
        page.keyboard.insert_text(text)


def press(page: Page, selector: str, key: str = "Enter") -> None:
    reach(page, selector)
    page.keyboard.press(key)


def onward(page: Page, screen: str) -> None:
    press(page, ".onward button")
    page.wait_for_url(f"**/setup/{screen}")


def judge(looked: Looked, screen: str) -> None:
    """Every look of this screen: nothing that axe finds, nothing wider than the window."""
    page = looked.page
    address = page.url.partition("?")[0].partition("#")[0]
    found = {}
    for language in ("en", "fr"):
        page.goto(f"{address}?language={language}")
        assert page.locator("html").get_attribute("lang") == language
        if screen == "site":
            page.wait_for_selector(".proof")
        for width, size in SIZES.items():
            page.set_viewport_size(size)
            for scheme in ("dark", "light"):
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                name = f"setup-{screen}-{language}-{scheme}-{width}"
                photograph(page, name)
                wrong = violations(page) + [f"{over} px too wide" for over in [overflow(page)] if over]
                if wrong:
                    found[name] = wrong
    assert not found
    page.set_viewport_size(DESKTOP)
    page.goto(address)


def appoint(page: Page, name: str, folder: Path) -> None:
    fill(page, name=name)
    press(page, "form[action$=make] button")
    one = page.locator(".custodians > li", has_text=name)
    one.wait_for()
    page.goto(page.url.partition("#")[0])
    key = folder / f"{name}.key"
    for what in ("sheet", "key"):
        reach(page, f".custodians a[href$={what}]")
        # A real download is for tests/system/test_first_boot.py: the web server here is none that it trusts.
        address = page.evaluate("document.activeElement.href")
        key.write_bytes(page.context.request.get(address).body())
    reach(page, ".custodians input[type=file]")
    page.locator(".custodians input[type=file]").set_input_files(key)
    press(page, ".saving form button")
    one.locator(".badge.well").wait_for()
    page.goto(page.url.partition("#")[0])


def test_the_whole_first_boot_by_keyboard_and_every_look_of_it(looked: Looked, tmp_path: Path) -> None:
    page = looked.page
    judge(looked, "begin")
    fill(page, label="WRONG-CODE", name=NAME, password=PASSWORD, again=PASSWORD)
    press(page, ".onward button")
    page.locator("#w-label").wait_for()
    assert violations(page) == []
    looked.wrong.clear()  # that refusal is a 400, which the console tells
    page.goto(page.url)
    fill(page, label=CODE, name=NAME, password=PASSWORD, again=PASSWORD)
    onward(page, "factor")
    judge(looked, "factor")
    press(page, "summary")
    phone = pyotp.TOTP(page.inner_text("code.key").replace(" ", ""))
    fill(page, code=phone.now())
    press(page, "[name=kept]", "Space")
    onward(page, "site")
    judge(looked, "site")
    fill(page, site="Hôtel du Port")
    assert page.input_value("[name=networks]") == NETWORK
    press(page, ".onward button")
    page.wait_for_url("**/setup/custodians")
    for name in ("Élodie Roy", "Maître Blanc"):
        appoint(page, name, tmp_path)
    fill(page, name="Zoé Petit")
    press(page, "form[action$=make] button")
    page.locator(".custodians > li", has_text="Zoé Petit").wait_for()
    judge(looked, "custodians")
    assert page.is_disabled(".onward button")
    page.locator(".custodians > li", has_text="Zoé Petit").locator(".remove button").press("Enter")
    page.locator(".custodians > li", has_text="Zoé Petit").wait_for(state="detached")
    onward(page, "centrals")
    fill(page, url="https://central.example.net", central_code="ABCD-EFGH")
    press(page, "form[action$=look] button")
    page.locator(".fingerprint").wait_for()
    judge(looked, "centrals")
    press(page, "button[value=agree]")
    page.locator(".badge.well").wait_for()
    onward(page, "tests")
    judge(looked, "tests")
    press(page, ".onward button")
    page.wait_for_url("**/sign-in")
    assert looked.wrong == []


def test_the_first_screen_is_painted_after_few_bytes(looked: Looked) -> None:
    looked.page.wait_for_load_state("networkidle")
    assert 0 < sum(looked.octets.values()) < FIRST_PAINT_OCTETS
