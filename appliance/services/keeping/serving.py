"""The keeper's life: the socket is opened, questions are answered, and once an hour what is due is done."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from appliance.control.server import Server
from appliance.model.errors import ControlError
from appliance.runtime.files import make_folder
from appliance.services.keeping.answering import SLOW, Answering, complain
from appliance.services.keeping.at_hand import AtHand
from appliance.services.keeping.hourly import Hourly


def serve(
    home: Path,
    control: Path,
    users: Iterable[int],
    until: threading.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answer and keep until `until` is set. There need be no home yet. Raises ControlError, StorageError."""
    at = AtHand(home)
    server = Server(control, Answering(at), users, SLOW)
    try:
        if not control.parent.is_dir():
            make_folder(control.parent)
        server.start()
    except OSError as error:
        raise ControlError(
            f"cannot listen on {control}: {error.strerror}; choose another place with --control"
        ) from error
    hourly = Hourly(at, complain)
    hourly.start()
    try:
        ready()
        until.wait()
    finally:
        hourly.stop()
        server.stop()


def say_ready() -> None:
    """Tell the service manager, if it wants to know, that questions are answered now (sd_notify(3))."""
    import socket

    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
        telling.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)
