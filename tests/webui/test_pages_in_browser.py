"""Every page as people see it: both languages, light and dark, phone and desktop; axe-core is the judge."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.webui.browser import (
    DESKTOP,
    PHONE,
    Served,
    looking,
    overflow,
    photograph,
    served,
    started,
    tab,
    violations,
    visiting,
)
from webui import wording
from webui.guides import GUIDES
from webui.menu import MENU
from webui.rights import Role
from webui.routes import ROUTES

FIRST_PAINT_OCTETS = 150_000

ASKED_WITH = {
    "/sources/source": "/sources/source?label=bornes",
    "/sources/change": "/sources/change?label=bornes",
    "/retention/certificate": "/retention/certificate?seq=9000",
    "/users/<user>": "/users/1",
    "/about/licence": "/about/licence?name=bottle",
    "/sources/coverage": "/sources/coverage?source=interface:eth1",
    "/sources/guide": f"/sources/guide?device={GUIDES[0].key}",
}
"""What a page needs to be told in its address."""

NOT_PAGES = frozenset(
    {
        "/live",
        "/static/<name:path>",
        "/branding.css",
        "/branding/logo",
        "/ca.pem",
        "/retention/certificate.json",
        "/about/source.tar.gz",
        "/about/notice.pdf",
        "/about/register.pdf",
        "/sign-in/code",
        "/sign-in/password",
        "/sign-in/factor",
    }
)
"""What is no page, or is shown only on the way through a sign-in: `signing` tests look at those."""

PAGES = sorted(
    ASKED_WITH.get(route.path, route.path)
    for route in ROUTES
    if route.method == "GET" and route.path not in NOT_PAGES and not route.path.startswith("/setup")
)
EVERY_LOOK = "GREFFIER_SCREENSHOTS" in os.environ
"""Judge each page in all eight of its looks and photograph it, into build/screenshots: some minutes."""

JUDGED = {("fr", "390", "light"), ("fr", "1440", "dark"), ("en", "1440", "light"), ("en", "390", "dark")}
"""What axe is asked about in every run: each language, width and theme, and each two of them together."""

SIZES = {"390": PHONE, "1440": DESKTOP}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

_RING = "parseFloat(getComputedStyle(document.activeElement).outlineWidth) || 0"
_REACHABLE = """() => {
    const kinds = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
    const all = [...document.querySelectorAll(kinds)]
        .filter(it => it.checkVisibility({visibilityProperty: true}) && !it.disabled);
    const first = it => it.checked || !all.some(other => other.name === it.name && other.checked)
        && all.find(other => other.name === it.name) === it;
    const kept = all.filter(it => it.type !== "radio" || first(it));
    kept.forEach((it, place) => it.setAttribute("data-place", place));
    return kept.length;
}"""
"""Counts and numbers what a keyboard has to reach: of radio buttons one of each group."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = started(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("good"), "good") as at:
        yield at


@pytest.fixture(scope="module")
def boxes(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Served, BrowserContext]]]:
    """A box in trouble and one in its first minutes, each with an operator's browser."""
    with ExitStack() as open_:
        found = {}
        for box in ("failing", "empty"):
            at = open_.enter_context(served(tmp_path_factory.mktemp(box), box))
            found[box] = (at, open_.enter_context(visiting(browser, at)))
        yield found


@pytest.fixture(scope="module")
def profiles(browser: Browser, good: Served) -> Iterator[dict[tuple[str, bool], BrowserContext]]:
    """An operator's and a stranger's, in each language."""
    with ExitStack() as open_:
        yield {
            (language, known): open_.enter_context(
                visiting(browser, good, Role.OPERATOR if known else None, language)
            )
            for language in wording.LANGUAGES
            for known in (True, False)
        }


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("path", PAGES)
def test_page_is_for_everybody(
    profiles: dict[tuple[str, bool], BrowserContext], good: Served, path: str, language: str
) -> None:
    """No barrier that axe knows, nothing wider than the window, no error and no breach of the policy."""
    with tab(profiles[language, path != "/sign-in"]) as looked:
        page = looked.page
        page.set_viewport_size(PHONE)
        answer = page.goto(good.url + path)
        assert answer is not None
        assert answer.status == 200
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("h1").count() == 1
        for name, scheme in product(SIZES, SCHEMES):
            page.set_viewport_size(SIZES[name])
            page.emulate_media(color_scheme=scheme)
            assert overflow(page) <= 0, f"{scheme} {name}"
            if EVERY_LOOK or (language, name, scheme) in JUDGED:
                assert violations(page, only_colours=scheme == "dark") == [], f"{scheme} {name}"
            if EVERY_LOOK:
                photograph(page, f"{path}-{language}-{scheme}-{name}")
        assert looked.wrong == []


@pytest.mark.parametrize("box", ["failing", "empty"])
@pytest.mark.parametrize("path", sorted(entry.path for entry in MENU))
def test_page_of_a_box_in_trouble_and_of_a_new_one(
    browser: Browser, boxes: dict[str, tuple[Served, BrowserContext]], path: str, box: str
) -> None:
    """The same on a phone, in French, where there is little to show or much to say."""
    at, context = boxes[box]
    with tab(context) as looked:
        looked.page.set_viewport_size(PHONE)
        answer = looked.page.goto(at.url + path)
        assert answer is not None
        assert answer.status == 200
        assert looked.page.locator("h1").count() == 1
        assert overflow(looked.page) <= 0
        assert violations(looked.page) == []
        if EVERY_LOOK:
            photograph(looked.page, f"{box}-{path}-390")
        assert looked.wrong == []


@pytest.mark.parametrize("path", ["/", "/activity"])
def test_first_paint_is_light(browser: Browser, good: Served, path: str) -> None:
    """All that a browser takes that comes for the first time."""
    with looking(browser, good) as looked:
        looked.page.goto(good.url + path)
        looked.page.wait_for_timeout(200)
        assert len(looked.octets) >= 5
        assert sum(looked.octets.values()) < FIRST_PAINT_OCTETS


def test_an_open_page_follows_the_box(browser: Browser, tmp_path: Path) -> None:
    """One stream a page: numbers move, and what is wrong is said as soon as it is, with nobody's touch."""
    with served(tmp_path, "good") as at, looking(browser, at, language="en") as looked:
        page = looked.page
        page.goto(at.url + "/")
        page.locator("p.live").wait_for()
        assert "Everything is being recorded" in page.locator("h1").inner_text()
        at.keeper.box = "failing"
        page.get_by_role("heading", name="Nothing is being recorded").wait_for(timeout=15_000)
        assert page.locator("[data-live=users]").inner_text() == "–"
        assert page.locator(".finding.failing").is_visible()
        assert at.site.watch._seats.total() == 1
        at.keeper.box = "good"
        page.get_by_role("heading", name="Everything is being recorded").wait_for(timeout=15_000)
        assert looked.wrong == []


def test_pages_do_without_scripts(browser: Browser, good: Served) -> None:
    """The chart is a picture with a table, a choice has a button, and the numbers are there."""
    with looking(browser, good, script=False) as looked:
        page = looked.page
        page.goto(good.url + "/activity?by=day")
        assert page.locator("figure.chart svg[role=img]").count() == 2
        page.locator("details.as-table summary").first.click()
        assert page.locator("details.as-table tbody tr").first.is_visible()
        page.locator("#where").select_option(index=1)
        page.locator("form.where button").click()
        assert "where=place" in page.url
        page.goto(good.url + "/")
        assert page.locator("[data-live=users]").inner_text() == "37"


def test_by_keyboard_alone(browser: Browser, good: Served) -> None:
    """Skip to the content, open the menu, go to another page, change the language: never a pointer."""
    with looking(browser, good, size=PHONE) as looked:
        page = looked.page
        page.goto(good.url + "/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.goto(good.url + "/")
        _tab_to(page, "details.drawer > summary")
        assert page.evaluate(_RING) > 0
        page.keyboard.press("Enter")
        _tab_to(page, "details.drawer a[href='/activity']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/activity")
        _tab_to(page, "details.drawer > summary")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        assert not page.locator("details.drawer").evaluate("it => it.open")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        page.keyboard.press("Enter")
        _tab_to(page, "details.drawer .languages a")
        page.keyboard.press("Enter")
        page.wait_for_url("**language=en*")
        assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("path", sorted(entry.path for entry in MENU))
def test_everything_is_reached_by_keyboard_and_seen(
    profiles: dict[tuple[str, bool], BrowserContext], good: Served, path: str
) -> None:
    """Whatever can be clicked is reached with Tab, in the order of the page, and shows that it is."""
    with tab(profiles["en", True]) as looked:
        page = looked.page
        page.set_viewport_size(DESKTOP)
        page.goto(good.url + path)
        wanted = page.evaluate(_REACHABLE)
        page.evaluate("document.body.focus()")
        for place in range(wanted):
            page.keyboard.press("Tab")
            reached = page.evaluate("document.activeElement.outerHTML")
            assert page.evaluate("document.activeElement.getAttribute('data-place')") == str(place), reached
            assert page.evaluate(_RING) > 0, reached


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} is not reached")
