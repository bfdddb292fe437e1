"""Serves the page over HTTPS until it is asked to stop."""

import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from appliance.control.client import Client
from appliance.control.messages import Actor, AskBox, Box
from appliance.https import certificates, serving
from appliance.model.errors import ControlError, StorageError
from appliance.runtime.clock import now_ns
from appliance.runtime.files import make_folder
from webui import page_settings, rendering, settings
from webui.accounts import opened
from webui.app import Page
from webui.first_boot import FirstBoot
from webui.request_log import RequestLog
from webui.site import Site

TLS = "tls"
NAME = "greffier.local"

Ready = Callable[[str, int], None]
"""Told the address and port that are open."""


def serve(state: Path, control: Path, address: str, port: int, code: str, ready: Ready) -> None:
    """Serve until SIGTERM or SIGINT. Ends by SystemExit, as gunicorn does.

    `state` is the page's own folder, made if need be; `code` protects the first boot. `port` 0 takes any that
    is free. Raises ListenError, StorageError.
    """
    _make_state(state)
    listener = serving.listen(address, port, page_settings.backlog)
    at, open_port = listener.getsockname()[:2]
    _certify(state / TLS)
    given = {
        "bind": [f"fd://{listener.fileno()}"],
        "certfile": str(state / TLS / certificates.SERVER),
        "keyfile": str(state / TLS / certificates.SERVER_KEY),
        "when_ready": lambda arbiter: ready(at, open_port),
    }
    rendering.sources()
    serving.serve(partial(_page, state, control, code), page_settings, given)


def is_begun(state: Path) -> bool:
    """Whether somebody can sign in already: the first boot is over."""
    with contextlib.closing(opened.open(state, now_ns)) as known:
        return bool(known.any())


def _make_state(state: Path) -> None:
    try:
        make_folder(state)
        state.chmod(0o700)
    except OSError as error:
        raise StorageError(
            f"cannot use {state}: {error.strerror}; choose a folder of the page's own with --state"
        ) from error


def _certify(folder: Path) -> None:
    """A certificate for every name and address that the page is reached under now."""
    hosts = [NAME, socket.gethostname(), "localhost", *_addresses()]
    if (folder / certificates.AUTHORITY).exists():
        certificates.renew(folder, hosts, now_ns())
    else:
        make_folder(folder)
        certificates.create(folder, f"page of {socket.gethostname()}", hosts, now_ns())


def _addresses() -> list[str]:
    """The addresses of this machine, but those that hold on one link only."""
    found = [
        one.address
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        if one.family in (socket.AF_INET, socket.AF_INET6) and "%" not in one.address
    ]
    return sorted(dict.fromkeys(found))


def _page(state: Path, control: Path, code: str) -> Page:
    """In the process that serves, after it was forked."""
    keeper = Client(control)
    known = opened.open(state, now_ns)
    first_boot = None
    if not (known.any() and _is_set_up(keeper)):
        first_boot = FirstBoot(code, now_ns, partial(os.kill, os.getpid(), signal.SIGTERM))
    site = Site(
        keeper,
        state,
        now_ns,
        known,
        settings.open(state),
        names=frozenset({socket.gethostname(), socket.getfqdn()}),
        debug=bool(os.environ.get("GREFFIER_DEBUG")),
        first_boot=first_boot,
    )
    page = Page(site, RequestLog(state / "requests", now_ns, _complain))
    gc.collect()
    gc.freeze()  # what is there for good is not looked through again and again, which holds up every page
    return page


def _is_set_up(keeper: Client) -> bool:
    """Where the keeper does not answer, accounts alone say so: nobody may begin anew meanwhile."""
    with contextlib.suppress(ControlError):
        box = keeper.ask(Actor("", "", "page"), AskBox())
        return not isinstance(box, Box) or box.set_up
    return True


def _complain(sentence: str) -> None:
    sys.stderr.write(f"greffier: {sentence}\n")
