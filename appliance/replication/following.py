"""The receipts of one central, read again and again from where they were left: a year's are 63,000."""

import os
from pathlib import Path

from appliance.model.errors import HomeError
from appliance.replication.accounts import RECEIPTS, apply
from appliance.replication.book import Book


class Following:
    """Reads only, beside the process that keeps the account; for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECEIPTS
        self._file = 0
        self._read_bytes = 0
        self.book = Book()
        self.version = 0
        """Another number whenever `book` has changed."""

    def look(self) -> Book:
        """What was signed for; whether receipts contradict is not looked at. Raises HomeError."""
        try:
            with self._path.open("rb") as opened:
                self._recognise(os.fstat(opened.fileno()))
                opened.seek(self._read_bytes)
                self._take(opened.read())
        except FileNotFoundError:
            if self._read_bytes:
                self._begin(0)
        except OSError as error:
            raise HomeError(f"cannot read {self._path}: {error.strerror}; check who owns it") from error
        return self.book

    def _recognise(self, status: os.stat_result) -> None:
        """It is the file that was read, and only longer; else it is begun anew."""
        if status.st_ino != self._file or status.st_size < self._read_bytes:
            self._begin(status.st_ino)

    def _begin(self, file: int) -> None:
        self._file, self._read_bytes, self.book = file, 0, Book()
        self.version += 1

    def _take(self, content: bytes) -> None:
        whole = content.rfind(b"\n") + 1
        for line in content[:whole].split(b"\n")[:-1]:
            apply(self.book, line + b"\n", lean=True)
        self._read_bytes += whole
        self.version += bool(whole)
