"""Recording from end to end: a home, its vaults and keys, a recorder, and a source that feeds it."""

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from appliance.config import box
from appliance.config.box import BoxConfig
from appliance.model.errors import HomeError, StorageError
from appliance.model.networks import Networks
from appliance.runtime.memory import keep_freed_memory
from appliance.runtime.recorder_state import RecorderState, SourceState, StateFile
from appliance.services.recording import tables
from appliance.services.recording.counts import SourceCounts
from appliance.services.recording.ledger import RETRY_EVERY_S
from appliance.services.recording.permission import AsSaid
from appliance.services.recording.presence_form import Means
from appliance.services.recording.present import Present
from appliance.services.recording.register import Register
from appliance.services.recording.signals import stop_on_signals
from appliance.services.recording.totals import Totals
from appliance.statistics.files import StatisticsWriter
from appliance.vault import homes
from appliance.vault.names import Home, VaultName
from appliance.vault.run import Run
from appliance.vault.writer import VaultWriter

STATE_EVERY_S = 1.0


@dataclass
class Report:
    """What a recording did, for its closing words. Instants are UTC ns, None where nothing came."""

    packets: int = 0
    bytes: int = 0
    records: int = 0
    bindings: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)
    first_ns: int | None = None
    last_ns: int | None = None
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


class Taker(Protocol):
    """What takes something in and has a register: `Recorder` takes frames, `Intake` messages."""

    register: Register

    def finish(self, now_ns: int) -> None: ...
    def moved(self) -> tuple[int, int]: ...


T = TypeVar("T", bound=Taker)
Build = Callable[[BoxConfig, Mapping[VaultName, VaultWriter], Totals, Callable[[], float]], T]


@dataclass
class Recording(Generic[T]):
    """A recorder at work in a home; made by `recording`."""

    home: Home
    config: BoxConfig
    recorder: T
    run: Run
    report: Report
    stopping: threading.Event
    _file: StateFile
    _started_ns: int
    _due: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the state file is a second old."""
        return time.monotonic() >= self._due

    def attend(self, means: Means) -> None:
        """Know from now on who is there, and tell it to whoever may ask."""
        site = Networks.of(self.config.client_networks)
        self.recorder.register.present = Present(self.home, self.run.id, means, site)
        self.recorder.register.present.open()

    def leave(self) -> None:
        """Know no more who is there."""
        present, self.recorder.register.present = self.recorder.register.present, None
        if present is not None:
            present.close()

    def say(self, ended: bool = False) -> None:
        """Tell in the state file how things stand."""
        self._due = time.monotonic() + STATE_EVERY_S
        now_ns = time.time_ns()
        if self.recorder.register.present is not None:
            self.recorder.register.present.look(now_ns, *self.recorder.moved())
        sources = tuple(_source_state(source, now_ns) for source in self.recorder.register.sources)
        alarms = tuple(self.recorder.register.alarms)
        self._file.write(
            RecorderState(self.run.id, os.getpid(), self._started_ns, now_ns, ended, sources, alarms)
        )
        if ended:
            self._file.close()


def _source_state(source: SourceCounts, now_ns: int) -> SourceState:
    return SourceState(
        source.name,
        source.packets,
        source.bytes,
        source.records,
        source.last_ns,
        dict(source.lost),
        dict(source.noted),
        dict(source.measured),
        source.durable,
        tuple(source.spells(now_ns)),
        source.interface,
        source.kept_apart,
    )


@contextlib.contextmanager
def recording(
    home_path: Path, build: Build[T], waiting: Callable[[str], None] | None = None
) -> Iterator[Recording[T]]:
    """Open a home, settle what an earlier crash left, record inside the block, seal at its end.

    A disk that refuses even the start raises StorageError; or, where `waiting` is given, it is told why
    and the disk asked again until it accepts: a recorder that starts on a full disk must not die in a loop.
    """
    started = time.monotonic()
    keep_freed_memory()
    home = homes.existing(home_path)
    config = box.read(home.config)
    with stop_on_signals() as stopping, _start(home, stopping, waiting) as run:
        vaults = {vault: VaultWriter(home, vault, config, run.chain, run) for vault in VaultName}
        totals = Totals(config, tables.load(home.path), StatisticsWriter(home, run.id))
        recorder = build(config, vaults, totals, time.monotonic)
        recorder.register.permission = AsSaid(home)
        recorder.register.permission.look(recorder.register.alarms)
        report = Report(notes=list(run.notes))
        file = StateFile(home.state, run.id)
        at_work = Recording(home, config, recorder, run, report, stopping, file, time.time_ns())
        at_work.say()
        ended = False
        try:
            yield at_work
            recorder.finish(time.time_ns())
            ended = True
        finally:
            at_work.leave()
            at_work.say(ended)
            _sum_up(report, recorder.register)
            report.seconds = time.monotonic() - started


_NOT_OURS = (errno.EACCES, errno.EPERM)


def _start(home: Home, stopping: threading.Event, waiting: Callable[[str], None] | None) -> Run:
    said = False
    while True:
        try:
            return Run.start(home)
        except StorageError as error:
            reason = error.__cause__
            if isinstance(reason, OSError) and reason.errno in _NOT_OURS:
                raise HomeError(f"{home.path} is not ours to write; run as the user who owns it") from error
            if waiting is None or stopping.is_set():
                raise
            if not said:
                waiting(f"{error}; recording begins as soon as the disk accepts")
                said = True
            stopping.wait(RETRY_EVERY_S)


def _sum_up(report: Report, register: Register) -> None:
    report.records, report.bindings = register.records, register.bindings
    for source in register.sources:
        report.packets += source.packets
        report.bytes += source.bytes
        for total, part in (
            (report.refused, source.refused),
            (report.lost, source.lost),
            (report.noted, source.noted),
        ):
            for reason, count in part.items():
                total[reason] = total.get(reason, 0) + count
    firsts = [source.first_ns for source in register.sources if source.first_ns is not None]
    lasts = [source.last_ns for source in register.sources if source.last_ns is not None]
    report.first_ns, report.last_ns = min(firsts, default=None), max(lasts, default=None)
