"""Receipts onto a stick, for the boxes it came from: a batch at a time, durable before the next is begun."""

import contextlib
import os

from appliance.replication.receipts import Receipt
from appliance.replication.stick import Stick
from appliance.runtime.clock import Clock
from appliance.runtime.files import sync_folder, write_all

_BATCH = 64


class StickReceipts:
    """One file a site, made when its first receipt is written.

    A stick that does not take them any more costs receipts only, which any later reading gives again; so the
    reason is kept in `refusal` and nothing is raised.
    """

    def __init__(self, stick: Stick, central: str, clock: Clock) -> None:
        self._stick = stick
        self._central = central
        self._clock = clock
        self._files: dict[str, int] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self._count = 0
        self.written = 0
        self.lost = 0
        self.refusal: str | None = None

    def add(self, receipt: Receipt) -> None:
        """Take a receipt; with every 64th they are written."""
        self._waiting.setdefault(receipt.site, []).append(receipt.render())
        self._count += 1
        if self._count >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Make durable what waits."""
        waiting, self._waiting, self._count = self._waiting, {}, 0
        for site, lines in waiting.items():
            if self.refusal is None:
                try:
                    handle = self._file(site)
                    write_all(handle, b"".join(lines))
                    os.fsync(handle)
                    self.written += len(lines)
                    continue
                except OSError as error:
                    self.refusal = error.strerror or type(error).__name__
            self.lost += len(lines)

    def close(self) -> None:
        """Write what waits and let the files go."""
        self.flush()
        for handle in self._files.values():
            with contextlib.suppress(OSError):
                os.close(handle)
        self._files = {}

    def _file(self, site: str) -> int:
        if site not in self._files:
            self._stick.make_folder(self._stick.receipts)
            path = self._stick.new_receipts_path(site, self._central, self._clock())
            self._files[site] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            sync_folder(path.parent)
        return self._files[site]
