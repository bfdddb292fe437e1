"""A stderr that cannot fail: no recording ends because nobody reads what it complains of."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO


class _Unfailing(io.TextIOBase):
    """Passes everything on; what the other end refuses is lost, and only that."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding if self._stream else "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("there is no stderr")
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.flush()


@contextlib.contextmanager
def unfailing() -> Iterator[None]:
    """Inside, writing to sys.stderr never raises, be it a pipe without a reader or a file on a full disk."""
    before = sys.stderr
    with contextlib.redirect_stderr(_Unfailing(before)):
        try:
            yield
        finally:
            if before is not None:
                try:
                    before.flush()
                except OSError:
                    mute(before)


def complain(sentence: str) -> None:
    """Say what a person should know, beside what was asked for."""
    print(f"greffier: {sentence}", file=sys.stderr)


def mute(stream: TextIO) -> None:
    """Let a stream end nowhere, so that what it still holds does not fail at the exit of the process."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
