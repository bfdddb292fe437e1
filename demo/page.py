"""The page of the demonstration's box: an account to sign in with, and what its first screen says."""

import html
import re
import secrets
import ssl
import subprocess
import urllib.request
from pathlib import Path
from typing import IO

from appliance.runtime.clock import now_ns
from demo.commands import GREFFIER, say, show
from webui.accounts import factors, opened
from webui.protection import COOKIE

NAME = "manager"
_AGENT = "the demonstration"
_HEADLINE = re.compile(r'<h1 id="standing">(.*?)</h1>\s*<p>(.*?)</p>', re.DOTALL)
_TROUBLE = re.compile(r'<li class="finding .*?<h2>(.*?)</h2>', re.DOTALL)


class PageOf:
    """A context: the page of this home on a free port of the loopback; then it is gone."""

    def __init__(self, folder: Path, home: str) -> None:
        self._folder = folder
        self._home = home
        self._state = folder / "page"
        self.password = "-".join(secrets.token_hex(3) for _ in range(4))
        self.secret = factors.new_secret()

    def __enter__(self) -> "PageOf":
        self._make_account()
        command = ["web", "--home", self._home, "--state", self._state.name, "--listen", "127.0.0.1:0"]
        show(command)
        self._process = subprocess.Popen(
            [GREFFIER, *command],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.url = _url(self._process.stdout)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)

    def wait(self) -> None:
        """Until the page ends, or the person who looks at it says so."""
        self._process.wait()

    def say_what_it_says(self) -> None:
        """The sentence at the top of the first screen, and what it asks to be looked at."""
        accounts = opened.open(self._state, now_ns)
        try:
            session = accounts.begin(NAME, _AGENT, "127.0.0.1")
        finally:
            accounts.close()
        asked = urllib.request.Request(  # our own address
            self.url,
            headers={"Cookie": f"{COOKIE}={session}", "User-Agent": _AGENT, "Accept-Language": "en"},
        )
        trusted = ssl.create_default_context(cafile=str(self._state / "tls" / "ca.pem"))
        with urllib.request.urlopen(asked, context=trusted, timeout=30) as answer:
            page = answer.read().decode()
        headline = _HEADLINE.search(page)
        if not headline:
            raise SystemExit("the demonstration ends here: the page does not say how the box stands")
        for sentence in (*headline.groups(), *(f"- {one}" for one in _TROUBLE.findall(page))):
            say(html.unescape(re.sub(r"<[^>]*>", "", sentence)).strip())

    def _make_account(self) -> None:
        self._state.mkdir(mode=0o700, exist_ok=True)
        accounts = opened.open(self._state, now_ns)
        try:
            if accounts.any():
                return
            accounts.make_first(NAME, self.password, self.secret, 0, factors.new_recovery_codes())
            accounts.set_client("Demo Café")
        finally:
            accounts.close()


def _url(said: IO[str] | None) -> str:
    line = said.readline() if said else ""
    found = re.search(r"https://\S+", line)
    if not found:
        raise SystemExit("the demonstration ends here: the page does not start")
    print(f"    {line}", end="", flush=True)
    return found.group()
