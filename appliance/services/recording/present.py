"""Who is there and how much moves, as one recorder knows it: in memory only, told to its own user only."""

import contextlib
import socket
import threading
import time

import numpy as np
from numpy.typing import NDArray

from appliance.identity.presence import Presence
from appliance.model.networks import Networks
from appliance.runtime import local_socket
from appliance.runtime.files import make_folder
from appliance.services.recording import presence_form
from appliance.services.recording.pace import Pace
from appliance.services.recording.presence_form import PATIENCE_S, Head, Means
from appliance.statistics.distinct import routers_of
from appliance.vault.names import Home

Rows = NDArray[np.void]

_WINDOW_S = {Means.SEEN: 5.0, Means.TOLD: 120.0}
"""A mirror shows packets as they pass; a device that tells of its flows does so once a minute or so."""

_MANY = 1 << 15
"""Rows that wait to be looked at: beyond, at once. Fewer are looked at together, once a second."""


class Present:
    """Attends a live recording. Rows come from the recorder's thread, questions in one of its own."""

    def __init__(self, home: Home, run_id: str, means: Means, site: Networks) -> None:
        self._home = home
        self._path = presence_form.path_of(home, run_id)
        self._means = means
        self._site = site
        self._presence = Presence()
        self._pace = Pace(_WINDOW_S[means])
        self._rows: list[Rows] = []
        self._waiting = 0
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begin to answer. Where the disk refuses a socket nobody is answered: recording goes on."""
        with contextlib.suppress(OSError):
            make_folder(self._path.parent)
            presence_form.sweep(self._home)
            self._listener = local_socket.listen(self._path, 0o600)
            self._thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
            self._thread.start()

    def flows(self, rows: Rows) -> None:
        """Traffic rows that closed, or changed."""
        if len(rows):
            self._rows.append(rows)
            self._waiting += len(rows)
            if self._waiting > _MANY:
                self._take()

    def claims(self, claims: Rows) -> None:
        """Who holds an address, or is with an access point."""
        with self._lock:
            self._presence.claims(claims)

    def look(self, now_ns: int, packets: int, octets: int) -> None:
        """Once a second: who is gone, and how far the counters of what moved are."""
        self._take()
        self._pace.look(time.monotonic(), packets, octets)
        with self._lock:
            self._presence.expire(now_ns)

    def close(self) -> None:
        """Answer no more, and overwrite what was known."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closes it
            with contextlib.suppress(OSError):
                self._path.unlink()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
        self._rows = []
        with self._lock:
            self._presence.forget()

    def _take(self) -> None:
        rows, self._rows, self._waiting = self._rows, [], 0
        for each in rows:
            routers = routers_of(each, self._site)
            with self._lock:
                self._presence.are_routers(routers)
                self._presence.flows(each)

    def _serve(self, listener: socket.socket) -> None:
        local_socket.answer_each(listener, PATIENCE_S, self._answer)

    def _answer(self, asking: socket.socket) -> None:
        rates = self._pace.rates
        with self._lock:
            devices = self._presence.present()
        try:
            asking.sendall(presence_form.head_bytes(Head(self._means, rates.packets_per_s, rates.bits_per_s)))
            asking.sendall(devices.view(np.uint8).data)
        finally:
            devices.fill(0)
