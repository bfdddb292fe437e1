"""A site's own colour in a real browser: it is there, and every word stays legible in both themes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.webui.browser import Served, looking, overflow, served, started, violations
from webui.settings import Branding


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = started(playwright)
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as at:
        yield at


def test_a_colour_that_is_hard_to_read_is_made_legible(chromium: Browser, site: Served) -> None:
    for colour, rgb in (("#ffe600", "rgb(255, 230, 0)"), ("#101010", "rgb(16, 16, 16)")):
        site.site.settings.change(branding=Branding("Hôtel du Port", colour))
        for scheme in ("light", "dark"):
            with looking(chromium, site, scheme=scheme) as looked:
                looked.page.goto(f"{site.url}/sources")
                drawn = looked.page.evaluate(
                    "getComputedStyle(document.querySelector('.head a')).backgroundColor"
                )
                assert drawn == rgb
                assert violations(looked.page) == []
                assert looked.wrong == []


def test_what_is_saved_and_what_is_refused_is_seen_at_once(chromium: Browser, site: Served) -> None:
    """Without scripts: the forms are plain ones."""
    with looking(chromium, site, script=False) as looked:
        page = looked.page
        page.goto(f"{site.url}/settings#contacts")
        page.fill("#f-controller", "SARL du Port")
        page.click("text=Enregistrer les contacts")
        assert page.locator("[role=status]").first.is_visible()
        assert page.input_value("#f-controller") == "SARL du Port"
        page.goto(f"{site.url}/sources/declare")
        page.fill("#f-label", "Hall")
        page.fill("#f-addresses", "partout")
        page.click("text=Accepter cette source")
        assert page.locator("[role=alert]").first.is_visible()
        assert page.input_value("#f-label") == "Hall"
        assert page.get_attribute("#f-addresses", "aria-invalid") == "true"
        assert overflow(page) <= 0
