"""A box out of its carton: from the set-up code to the first record on the screen, with a real browser.

The real page, its real keeper, a real cable with traffic on it, the real recorder; in a network of its own.
"""

import contextlib
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyotp
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.system import load, memory_images
from tests.system.boxes import GREFFIER, Box, greffier
from tests.system.memory_images import Finder
from tests.system.networks import Network, may_make
from tests.system.warm import wait_for
from tests.webui.browser import DESKTOP, photograph, started

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")

CODE, NAME, PASSWORD = "K7QF-2MNB", "Élodie Roy", "girafe-moulin-9-tabouret-lune"
PATIENCE_MS = 60_000


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        network.run("ip", "link", "set", "lo", "up")
        network.cable("switch", "mirror")
        yield network


@contextlib.contextmanager
def traffic(network: Network) -> Iterator[None]:
    """Clients that come and go, a hundred frames a second."""
    over = threading.Event()

    def send() -> None:
        with network.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
            wire.bind(("switch", 0))
            number = 0
            while not over.wait(0.01):
                wire.send(load.frame_of(number))
                number += 1

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


@contextlib.contextmanager
def running(network: Network, *arguments: str | Path) -> Iterator["subprocess.Popen[str]"]:
    """A verb that runs until it is told to end; its output is one stream."""
    with network.inside():
        process = subprocess.Popen(
            [GREFFIER, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    try:
        yield process
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=60)
        assert "Traceback" not in said
        assert "defect" not in said


@pytest.fixture
def browser(network: Network) -> Iterator[Browser]:
    with network.inside(), sync_playwright() as playwright:
        browser = started(playwright)
        yield browser
        browser.close()


def address(process: "subprocess.Popen[str]") -> str:
    """Where the page says that it is."""
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"https://\S+", line):
            return found[0]
    raise AssertionError("the page did not start")


def onward(page: Page, screen: str) -> None:
    page.click(".onward button:not([value=listen])")
    page.wait_for_url(f"**/setup/{screen}")


def be_welcomed(page: Page) -> None:
    page.fill("[name=label]", CODE.lower())
    page.fill("[name=name]", NAME)
    for field in ("password", "again"):
        page.fill(f"[name={field}]", PASSWORD)
    onward(page, "factor")


def set_up_the_phone(page: Page) -> pyotp.TOTP:
    page.click("summary")
    phone = pyotp.TOTP(page.inner_text("code.key").replace(" ", ""))
    page.fill("[name=code]", phone.now())
    page.check("[name=kept]")
    onward(page, "site")
    return phone


def describe_the_site(page: Page) -> None:
    proof = page.locator("li", has_text="mirror").locator(".proof")
    proof.wait_for(timeout=PATIENCE_MS)
    assert "Le trafic arrive" in proof.inner_text()
    assert page.is_checked("input[value=mirror]")
    page.fill("[name=site]", "Hôtel du Port")
    page.fill("[name=networks]", load.CLIENT_NET)
    photograph(page, "first-boot-site")
    onward(page, "custodians")


def appoint_custodians(page: Page, folder: Path) -> tuple[Path, ...]:
    keys = []
    for name in ("Élodie Roy", "Maître Blanc"):
        page.fill("[name=name]", name)
        page.click("form[action$=make] button")
        one = page.locator(".custodians > li", has_text=name)
        for what in ("key", "sheet"):
            with page.expect_download() as download:
                one.locator(f"a[href$={what}]").click()
            download.value.save_as(folder / download.value.suggested_filename)
        keys.append(next(path for path in folder.glob("*.key") if path not in keys))
        assert page.is_disabled(".onward button")
        one.locator("input[type=file]").set_input_files(keys[-1])
        one.locator(".saving form button").click()
        one.locator(".badge.well").wait_for()
    photograph(page, "first-boot-custodians")
    onward(page, "centrals")
    return tuple(keys)


def processes(root: int) -> list[int]:
    """A process and all that came of it: the page, its workers, its keeper."""
    return [root, *(child.pid for child in psutil.Process(root).children(recursive=True))]


def remembered(root: int, secrets: list[bytes]) -> set[bytes]:
    """Which of these lie in the memory of these processes."""
    finder = Finder(secrets)
    return {
        secret
        for pid in processes(root)
        for piece in memory_images.pieces(pid)
        for secret in finder.found(piece)
    }


def wait_for_a_fresh_worker(root: int, before: list[int]) -> None:
    """The keeper stays, and the process that answers is another."""
    wait_for(
        lambda: len(processes(root)) == len(before) and set(processes(root)) != set(before),
        PATIENCE_MS / 1000,
        "a fresh worker",
    )


def finish(page: Page) -> None:
    onward(page, "tests")
    assert not page.locator(".tests .failed").all_inner_texts()
    photograph(page, "first-boot-tests")
    page.click(".onward button")
    page.wait_for_url("**/sign-in*")


def sign_in(page: Page, phone: pyotp.TOTP) -> None:
    page.fill("[name=name]", NAME)
    page.fill("[name=password]", PASSWORD)
    page.click("main form button")
    # The code of the next half minute: the one of the set-up is used up.
    page.fill("[name=code]", phone.at(time.time() + 30))
    page.click("main form button")
    page.locator("#standing").wait_for()


def test_from_the_set_up_code_to_the_first_record_on_the_screen(
    network: Network, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "label").write_text(f"{CODE}\n")
    (tmp_path / "stick").mkdir()
    home, label = tmp_path / "home", tmp_path / "label"
    web = ("web", "--home", home, "--listen", "127.0.0.1:0", "--setup-code-file", label)
    with traffic(network), running(network, *web) as served:
        context = browser.new_context(ignore_https_errors=True, viewport=DESKTOP, locale="fr-FR")
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address(served))
        begun = time.monotonic()
        be_welcomed(page)
        phone = set_up_the_phone(page)
        describe_the_site(page)
        keys = appoint_custodians(page, tmp_path / "stick")
        before = processes(served.pid)
        assert remembered(served.pid, [CODE.replace("-", "").encode()]), "the search finds what is there"
        finish(page)
        print(f"set up in {time.monotonic() - begun:.1f} s of machine time")
        wait_for_a_fresh_worker(served.pid, before)
        private = [key.read_bytes().splitlines()[-1] for key in keys]
        assert not remembered(served.pid, [*private, PASSWORD.encode()])
        with running(network, "record", "--home", home):
            sign_in(page, phone)
            recorded = page.locator("tr", has_text="mirror").locator(".badge.well")
            until = time.monotonic() + 60
            while not recorded.is_visible():
                assert time.monotonic() < until, page.inner_text("main")
                time.sleep(0.5)
                page.reload()
            page.locator("[data-live=rate]", has_text="bit/s").wait_for()
            assert page.locator("[data-live=last] time").count() == 1
            photograph(page, "first-boot-overview")
        context.close()
    assert page.is_closed()
    box = Box(home, keys)
    assert box.search()
    greffier("verify", "--home", home)
