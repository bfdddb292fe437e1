"""The files of statistics: statistics/DAY/RUN-NUMBER.jsonl, each written once, whole; drafts of running days.

They are not signed: they name nobody and prove nothing, the sealed records do. A reader believes no byte of
them: what is not a line of ours is counted and left out.
"""

import contextlib
import datetime as dt
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.model.errors import DecodeError, StorageError
from appliance.model.instants import DAY_NS, day_of
from appliance.runtime.files import sync_folder, write_many
from appliance.statistics.statements import DayStatement, Statement, line, parse
from appliance.vault import day_folder, liveness
from appliance.vault.names import Home

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FILE, DRAFT = day_folder.SUFFIX, ".draft"


class StatisticsWriter:
    """Writes what one run has counted."""

    def __init__(self, home: Home, run_id: str) -> None:
        self._home = home
        self._run_id = run_id
        self._written = 0

    def write(self, statements: Sequence[Statement]) -> None:
        """Write statements, one file a day they are about. On StorageError none is there."""
        by_day: dict[dt.date, list[Statement]] = {}
        for statement in statements:
            by_day.setdefault(day_of(statement.start_ns), []).append(statement)
        files = []
        for number, (day, of_day) in enumerate(by_day.items(), self._written):
            content = "".join(f"{line(statement)}\n" for statement in of_day).encode()
            files.append((self._home.statistics / str(day) / f"{self._run_id}-{number:06}{_FILE}", content))
        if files:
            write_many(files)
        self._written += len(files)
        for statement in statements:
            if isinstance(statement, DayStatement):
                with contextlib.suppress(OSError):  # `adopt` sees that it is not needed
                    self._draft(statement).unlink(missing_ok=True)

    def draft(self, days: Sequence[DayStatement]) -> None:
        """Keep how running days stand: if this run dies, the next start makes files of it."""
        if days:
            write_many([(self._draft(day), f"{line(day)}\n".encode()) for day in days])

    def adopt(self) -> None:
        """Make files of what dead runs drafted and could not finish. Raises StorageError."""
        try:
            for draft in sorted(self._home.statistics.glob(f"*/*{DRAFT}")):
                if not liveness.is_live(self._home, draft.stem):
                    with contextlib.suppress(FileNotFoundError):  # another recorder starts at this moment
                        _adopt(draft)
        except OSError as error:
            where = self._home.statistics
            raise StorageError(f"cannot write {where}: {error.strerror}; free or repair the disk") from error

    def _draft(self, statement: DayStatement) -> Path:
        return self._home.statistics / str(day_of(statement.start_ns)) / f"{self._run_id}{DRAFT}"


def _adopt(draft: Path) -> None:
    written = draft.parent.glob(f"{draft.stem}-*{_FILE}")
    if any(b'{"day"' in (day_folder.plain(path) or b"") for path in written):
        draft.unlink()
    else:
        draft.rename(draft.with_name(f"{draft.stem}-draft{_FILE}"))
    sync_folder(draft.parent)


@dataclass
class Damage:
    """Lines that are not ours, counted while reading."""

    lines: int = 0


def read(home: Home, from_ns: int, to_ns: int, damage: Damage) -> Iterator[tuple[str, Statement]]:
    """(run, statement) of hours and days that begin in [from_ns, to_ns), day by day; also counts damage."""
    first, last = day_of(from_ns), day_of(max(from_ns, to_ns - 1))
    for day in days(home):
        if not first <= day <= last:
            continue
        for name, content in contents(home.statistics / str(day)):
            for statement in statements(content, day, damage):
                if from_ns <= statement.start_ns < to_ns:
                    yield name.partition("-")[0], statement


def statements(content: bytes | None, day: dt.date, damage: Damage) -> Iterator[Statement]:
    """What a file in the folder of a day says of that day. Lines that are not ours, or None, are damage."""
    if content is None:
        damage.lines += 1
        return
    for text in content.split(b"\n"):
        try:
            if text and day_of((found := parse(text.decode("ascii"))).start_ns) == day:
                yield found
        except (DecodeError, UnicodeDecodeError):
            damage.lines += 1


def contents(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    """`day_folder.contents`. Raises StorageError."""
    try:
        yield from day_folder.contents(folder)
    except OSError as error:
        raise StorageError(f"cannot read {folder}: {error.strerror}; check who owns it") from error


def days(home: Home) -> list[dt.date]:
    """The days of which there are statistics, in order. A link to a folder is none of ours."""
    found = []
    if home.statistics.is_dir():
        for folder in home.statistics.iterdir():
            if _DAY.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
                with contextlib.suppress(ValueError):
                    found.append(dt.date.fromisoformat(folder.name))
    return sorted(found)


def past_term(home: Home, now_ns: int, keep_days: int) -> list[dt.date]:
    """The days whose statistics are older than `keep_days` before today."""
    first = day_of(now_ns - keep_days * DAY_NS)
    return [day for day in days(home) if day < first]


def delete(home: Home, gone: Sequence[dt.date]) -> None:
    """Delete the statistics of these days. Raises StorageError; the next call goes on."""
    try:
        for day in gone:
            shutil.rmtree(home.statistics / str(day))
        if gone:
            sync_folder(home.statistics)
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(
            f"cannot delete old statistics: {reason}; repair the disk and run this again"
        ) from error
