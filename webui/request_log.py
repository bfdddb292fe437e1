"""Every request to the page: when, who, from where, what, with what result; a file a day, for a year.

    2026-11-22T09:30:01Z alice 192.168.1.20 GET /sources/<label> 200 12 ms

What was asked stands as the table of routes has it: no value of a path, a query or a form is written, so no
label and no MAC. A year is the most that the CNIL advises for such logs (deliberation 2021-122).
"""

import contextlib
import datetime as dt
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from appliance.model.instants import NS, day_of, to_iso
from appliance.runtime.files import make_folder

KEPT_DAYS = 365
STRANGERS_BYTES, OTHERS_BYTES = 4 << 20, 12 << 20
"""Of a day: of whoever is not signed in, some 70,000 requests, and of the others. Whoever asks without end
fills no disk and takes no line from who is signed in; the rest is counted."""

LET_GO = 2
"""Files, whenever a day begins: a clock that jumps ahead takes no year along; who was off catches up."""

SUMMED_NS = 60 * NS


class RequestLog:
    """For all threads of a process. A disk that refuses stops no request: it is said once a minute."""

    def __init__(self, folder: Path, clock: Callable[[], int], told: Callable[[str], None]) -> None:
        self._folder = folder
        self._clock = clock
        self._told = told
        self._lock = threading.Lock()
        self._day: dt.date | None = None
        self._handle = -1
        self._sizes = {True: 0, False: 0}
        """Bytes of the day's file: of strangers, of the others."""
        self._uncounted: Counter[str] = Counter()
        self._summed_ns = 0

    def note(self, who: str, origin: str, what: str, status: str, took_ms: int) -> None:
        """One request. `what` is method and route, `who` empty for whoever is not signed in."""
        now_ns = self._clock()
        line = f"{to_iso(now_ns)[:19]}Z {_one_word(who)} {origin} {what} {status} {took_ms} ms\n"
        with self._lock:
            self._write(now_ns, line.encode("utf-8", "backslashreplace"), f"{what} {status}", not who)

    def count(self, mishap: str) -> None:
        """A peer that no request came of, such as one that speaks no TLS."""
        with self._lock:
            self._uncounted[mishap] += 1
            self._sum_up(self._clock())

    def _write(self, now_ns: int, line: bytes, short: str, stranger: bool) -> None:
        try:
            if self._day != day_of(now_ns):
                self._turn(day_of(now_ns))
            limit = STRANGERS_BYTES if stranger else OTHERS_BYTES
            if self._sizes[stranger] + len(line) > limit:
                self._uncounted[short] += 1
            else:
                os.write(self._handle, line)  # one write a line: O_APPEND keeps it whole
                self._sizes[stranger] += len(line)
        except OSError as error:
            self._uncounted[short] += 1
            if now_ns - self._summed_ns > SUMMED_NS:
                self._summed_ns = now_ns
                self._told(f"cannot write {self._folder}: {error.strerror}; free or repair the disk")
            return
        self._sum_up(now_ns)

    def _sum_up(self, now_ns: int) -> None:
        """One line a minute for what has none of its own: 1,440 of a day at most, whatever else is in it."""
        if not self._uncounted or 0 <= now_ns - self._summed_ns <= SUMMED_NS or self._handle < 0:
            return
        self._summed_ns = now_ns
        told = ", ".join(f"{count} times {what}" for what, count in self._uncounted.most_common(20))
        with contextlib.suppress(OSError):
            os.write(self._handle, f"{to_iso(now_ns)[:19]}Z - - not written singly: {told}\n".encode())
            self._uncounted.clear()

    def _turn(self, day: dt.date) -> None:
        """Begin the file of a day, and let those go that are older than a year."""
        make_folder(self._folder)
        path = self._folder / f"{day}.log"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if self._handle >= 0:
            os.close(self._handle)
        self._handle, self._day = handle, day
        lines = path.read_bytes().splitlines(True)
        strangers = sum(len(line) for line in lines if line[20:23] == b" - ")
        self._sizes = {True: strangers, False: sum(map(len, lines)) - strangers}
        last = str(day - dt.timedelta(days=KEPT_DAYS))
        old = sorted(file for file in self._folder.glob("????-??-??.log") if file.stem < last)
        for file in old[:LET_GO]:
            file.unlink(missing_ok=True)


def _one_word(name: str) -> str:
    """A name as one word of a line, so that none can write a line or a column of its own."""
    return "".join(letter if letter.isprintable() and letter != " " else "_" for letter in name[:64]) or "-"
