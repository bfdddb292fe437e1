"""Several interfaces at once: a process of its own for each, with its own run, watched by this one.

A recorder that dies takes nothing of the others with it: it is started again, and its new run settles what
the dead one left. This process reads and writes no packet; when it dies itself its recorders end in order.
"""

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from appliance.model.errors import CaptureError, HomeError
from appliance.runtime import recorder_state
from appliance.runtime.recorder_state import RecorderState
from appliance.services.recording.signals import stop_on_signals
from appliance.vault import homes

TELL_EVERY_S = 1.0
_POLL_S = 0.2
_LONGEST_PAUSE_S = 60.0
"""A recorder that dies at once is started again after 1 s, 2 s, 4 s ... and then every minute."""

_HEALTHY_S = 60.0
_HOPELESS = (2, HomeError.exit_code)
"""Exit codes that no new start can mend: the command line, the home."""


@dataclass
class RecorderProcess:
    """One interface's process.

    `report` is the JSON its last run ended with, None where that did not: then `exit_code` is not 0.
    `restarts` is how often it had died before.
    """

    interface: str
    report: Mapping[str, Any] | None = None
    exit_code: int = 0
    restarts: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    begun: float = 0.0
    due: float | None = 0.0
    pause_s: float = 0.5
    said: dict[str, bytes] = field(default_factory=dict)


class Several:
    """Starts and watches recorders. `command` gives the arguments of one, for an interface and seconds."""

    def __init__(
        self,
        home: Path,
        interfaces: Sequence[str],
        command: Callable[[str, float | None], list[str]],
        complain: Callable[[str], None],
    ) -> None:
        self.recorders = [RecorderProcess(interface) for interface in interfaces]
        self._state = homes.existing(home).state
        self._command = command
        self._complain = complain
        self._pipes = selectors.DefaultSelector()

    def run(self, seconds: float | None, progress: Callable[[Sequence[RecorderState]], None]) -> None:
        """Record until `seconds` have passed or a signal asks to stop, and wait until all have sealed."""
        until = math.inf if seconds is None else time.monotonic() + seconds
        told, asked = 0.0, False
        with stop_on_signals() as stopping:
            while any(one.process or one.due is not None for one in self.recorders):
                if stopping.is_set() and not asked:
                    asked = True
                    self._end()
                for recorder in self.recorders:
                    self._start_if_due(recorder, until, stopping)
                self._listen()
                for recorder in self.recorders:
                    self._bury(recorder, stopping, until)
                if time.monotonic() - told > TELL_EVERY_S:
                    told = time.monotonic()
                    progress(self._states())
        self._pipes.close()
        for one in self.recorders:
            if one.report is None:
                one.exit_code = one.exit_code or CaptureError.exit_code

    def _start_if_due(self, recorder: RecorderProcess, until: float, stopping: threading.Event) -> None:
        if recorder.due is None or time.monotonic() < recorder.due:
            return
        recorder.due = None
        left_s = until - time.monotonic()
        if stopping.is_set() or left_s <= 0:
            return
        recorder.begun = time.monotonic()
        try:
            recorder.process = subprocess.Popen(  # noqa: S603 - ourselves, with arguments that were checked
                self._command(recorder.interface, None if math.isinf(until) else left_s),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,  # a Ctrl-C reaches this process only, which passes it on
            )
        except OSError as error:  # no memory, too many processes
            self._try_again(recorder, f"cannot be started ({error.strerror})")
            return
        recorder.said = {"out": b"", "err": b""}
        for name, pipe in (("out", recorder.process.stdout), ("err", recorder.process.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._pipes.register(pipe, selectors.EVENT_READ, (recorder, name))

    def _listen(self) -> None:
        """Take what the recorders say; their complaints are passed on line by line."""
        if not self._pipes.get_map():
            time.sleep(_POLL_S)
        for key, _ in self._pipes.select(_POLL_S):
            recorder, name = key.data
            self._hear(recorder, name, key.fileobj)  # type: ignore[arg-type]

    def _hear(self, recorder: RecorderProcess, name: str, pipe: IO[bytes]) -> None:
        content = pipe.read()
        if content == b"":
            self._pipes.unregister(pipe)
            return
        recorder.said[name] += content or b""
        if name == "err":
            *lines, recorder.said[name] = recorder.said[name].split(b"\n")
            for line in lines:
                told = line.decode(errors="replace").removeprefix("greffier: ")
                self._complain(f"{recorder.interface}: {told}")

    def _bury(self, recorder: RecorderProcess, stopping: threading.Event, until: float) -> None:
        """See whether a recorder has ended, and start it again unless its time was over."""
        process = recorder.process
        if process is None or process.poll() is None:
            return
        for name, pipe in (("out", process.stdout), ("err", process.stderr)):
            assert pipe is not None
            if pipe in self._pipes.get_map():
                self._hear(recorder, name, pipe)
            if pipe in self._pipes.get_map():
                self._pipes.unregister(pipe)
            pipe.close()
        recorder.process, code = None, process.returncode
        if code == 0:
            with contextlib.suppress(ValueError):  # it ended in order; that its words did not come is said
                recorder.report = json.loads(recorder.said["out"])
            return
        died = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        if code in _HOPELESS or stopping.is_set() or time.monotonic() >= until:
            recorder.exit_code = code if code > 0 else CaptureError.exit_code
            self._complain(f"the recorder of {recorder.interface} {died}")
            if code in _HOPELESS:
                self._end()
            return
        recorder.restarts += 1
        self._try_again(recorder, died)

    def _try_again(self, recorder: RecorderProcess, why: str) -> None:
        if time.monotonic() - recorder.begun > _HEALTHY_S:
            recorder.pause_s = 0.5
        recorder.pause_s = min(2 * recorder.pause_s, _LONGEST_PAUSE_S)
        recorder.due = time.monotonic() + recorder.pause_s
        self._complain(
            f"the recorder of {recorder.interface} {why}; it starts again in {recorder.pause_s:.0f} s"
        )

    def _end(self) -> None:
        for recorder in self.recorders:
            recorder.due = None
            if recorder.process is not None:
                recorder.process.send_signal(signal.SIGTERM)

    def _states(self) -> list[RecorderState]:
        pids = {recorder.process.pid for recorder in self.recorders if recorder.process}
        return [state for state in recorder_state.read_all(self._state) if state.pid in pids]
