"""What a recording shows of itself on a terminal while it runs; nothing elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.wording import several
from appliance.model.source_names import INTERFACE

if TYPE_CHECKING:
    from appliance.runtime.recorder_state import RecorderState
    from appliance.services.recording.counts import SourceCounts


@contextlib.contextmanager
def of_files(files: list[Path]) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("recording"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("recording", total=sum(path.stat().st_size for path in files))
        yield lambda done: bar.update(task, completed=done)


@contextlib.contextmanager
def of_bytes(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; it is told how many bytes are done, and of how many."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def of_addresses(count: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; it is told how many addresses were asked."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("asking", total=count)
        yield lambda done: bar.update(task, completed=done)


@contextlib.contextmanager
def of_interface(interface: str) -> "Iterator[Callable[[SourceCounts], None]]":
    """A line that counts on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda source: None
        return
    from rich.console import Console

    with Console(stderr=True).status(f"listening on {interface}") as line:
        yield lambda source: line.update(
            f"listening on {interface}: {several(source.packets, 'packet')}, "
            f"{several(source.records, 'record')} closed, "
            f"{source.lost.total():,} lost (Ctrl-C ends and seals)"
        )


@contextlib.contextmanager
def of_interfaces(names: list[str]) -> "Iterator[Callable[[Sequence[RecorderState]], None]]":
    """One line for several interfaces, each with its packets and what it lost."""
    if not sys.stderr.isatty():
        yield lambda states: None
        return
    from rich.console import Console

    def told(states: "Sequence[RecorderState]") -> str:
        parts = [
            f"{source.name.removeprefix(INTERFACE)} {several(source.packets, 'packet')}, "
            f"{sum(source.lost.values()):,} lost"
            for state in states
            for source in state.sources
        ]
        return f"listening: {'; '.join(sorted(parts))} (Ctrl-C ends and seals)"

    with Console(stderr=True).status(f"listening on {', '.join(names)}") as line:
        yield lambda states: line.update(told(states))


@contextlib.contextmanager
def of_feeds() -> "Iterator[Callable[[Sequence[SourceCounts]], None]]":
    """A line that counts on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda sources: None
        return
    from rich.console import Console

    def told(sources: "Sequence[SourceCounts]") -> str:
        messages, lost = sum(one.packets for one in sources), sum(one.lost.total() for one in sources)
        speaking = sum(1 for one in sources if one.packets)
        return (
            f"listening: {several(messages, 'message')} of {several(speaking, 'source')}, {lost:,} lost "
            "(Ctrl-C ends and seals)"
        )

    with Console(stderr=True).status("listening") as line:
        yield lambda sources: line.update(told(sources))


@contextlib.contextmanager
def of_objects() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; it is told how many objects are done, and of how many."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("objects", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
