"""Documents printed and the source packed in a process of their own, which makes way for every other.

Each takes a second or two of the processor. In the page's own process its threads would take turns with every
page that is asked for meanwhile; so nobody waits but who asked, and he but once: what was made is kept.
"""

import contextlib
import datetime as dt
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from appliance.model.errors import GreffierError
from webui import documents, licences
from webui.documents import Document


class PressError(GreffierError):
    """What was ordered could not be made, or not in time."""


PATIENCE_S = 30.0
"""For its turn, and as long again for the work: a board of ten years ago takes eight seconds."""

KEPT = 16
_NICE = 10


class Print(msgspec.Struct, frozen=True, tag=True):
    """Set this document, dated by the day."""

    document: Document
    day: dt.date


class Pack(msgspec.Struct, frozen=True, tag=True):
    """Pack the source of what is running."""


Order: TypeAlias = Print | Pack

_orders = msgspec.json.Decoder(Order)


def printed(document: Document, now: dt.datetime) -> bytes:
    """The document as PDF. Raises PressError."""
    return _press.of(Print(document, now.date()))


def packed() -> bytes:
    """The source as .tar.gz. Raises PressError."""
    return _press.of(Pack())


class Press:
    """What was made last; one thing is made at a time, whoever asks for how many."""

    def __init__(self, make: Callable[[Order], bytes]) -> None:
        self._make = make
        self._kept: OrderedDict[Order, bytes] = OrderedDict()
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def of(self, order: Order) -> bytes:
        """What was ordered. Raises PressError."""
        if (found := self._find(order)) is not None:
            return found
        if not self._turn.acquire(timeout=PATIENCE_S):
            raise PressError("too many documents are being made; try again in a minute")
        try:
            found = self._find(order)  # whoever had the turn before may have ordered the same
            if found is None:
                found = self._make(order)
                self._keep(order, found)
            return found
        finally:
            self._turn.release()

    def _find(self, order: Order) -> bytes | None:
        with self._lock:
            if order in self._kept:
                self._kept.move_to_end(order)
            return self._kept.get(order)

    def _keep(self, order: Order, content: bytes) -> None:
        with self._lock:
            self._kept[order] = content
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _make_apart(order: Order) -> bytes:
    command = [sys.executable, "-m", "webui.press"]
    try:
        made = subprocess.run(  # noqa: S603 - our own command
            command, input=msgspec.json.encode(order), capture_output=True, timeout=PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PressError(
            f"it could not be made ({type(error).__name__}); try again, and restart the page if that fails"
        ) from error
    return made.stdout


_press = Press(_make_apart)


def main() -> None:
    """In the process of its own: an order comes in, what was ordered goes out."""
    with contextlib.suppress(OSError):  # where the kernel does not let us, the work is done all the same
        os.nice(_NICE)
    order = _orders.decode(sys.stdin.buffer.read())
    if isinstance(order, Print):
        made = documents.pdf(order.document, dt.datetime.combine(order.day, dt.time(), dt.UTC))
    else:
        made = licences.source()
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
