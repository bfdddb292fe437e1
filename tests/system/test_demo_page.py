"""The page that the demonstration leaves open: its address answers, and the login that it prints signs in."""

import time
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import sync_playwright

from demo.page import NAME, PageOf
from tests.system.boxes import make_box
from tests.webui.browser import started


def test_the_login_that_is_printed_opens_the_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_box(tmp_path, ["192.168.2.0/24"])
    page = PageOf(tmp_path, "box")
    with page:
        page.say_what_it_says()
        with sync_playwright() as playwright:
            browser = started(playwright)
            tab = browser.new_context(ignore_https_errors=True, locale="en-GB").new_page()
            tab.set_default_timeout(60_000)
            tab.goto(page.url)
            tab.fill("[name=name]", NAME)
            tab.fill("[name=password]", page.password)
            tab.click("main form button")
            tab.fill("[name=code]", pyotp.TOTP(page.secret).at(time.time()))
            tab.click("main form button")
            headline = tab.locator("#standing").inner_text()
            browser.close()
    assert headline in capfd.readouterr().out
    with page:
        page.say_what_it_says()
    assert headline in capfd.readouterr().out
