"""A run: one recorder at work in a home, and what its start finds left by runs that died.

Nothing that a dead run wrote is lost or read: its journal files are fixed in the chain as they lie, files it
had written but not sealed are removed (their rows are in the journal), and the gap it left is stated.
"""

import contextlib
import os
import secrets
from dataclasses import dataclass, field

from appliance.config import box
from appliance.model.errors import StorageError
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import make_folder, sync_folder
from appliance.vault import leftovers
from appliance.vault.chain import Chain
from appliance.vault.liveness import lock_path
from appliance.vault.names import Home


@dataclass
class Run:
    """A running recorder. `notes` says in sentences what its start found and did. Close it, or use `with`."""

    id: str
    home: Home
    chain: Chain
    notes: tuple[str, ...]
    _lock: int = field(repr=False)

    @classmethod
    def start(cls, home: Home, clock: Clock = now_ns) -> "Run":
        """Take a run's lock and settle what dead runs left. Raises HomeError, StorageError."""
        config = box.read(home.config)
        chain = Chain.open(home)
        chain.clock = clock
        _ensure_state(home)
        with locks.exclusive(home.state / "start.lock"):
            run_id = secrets.token_hex(4)
            lock = locks.take(lock_path(home, run_id))
            try:
                sync_folder(home.state)
                notes = leftovers.settle(home, config, chain)
            except BaseException:  # an interrupt too: a lock left held would look like a living recorder
                _let_go(home, run_id, lock)
                raise
        return cls(run_id, home, chain, tuple(notes), lock)

    def close(self) -> None:
        """End in good order. Journal files not yet replaced stay; the next start fixes them in the chain."""
        if self._lock >= 0:
            _let_go(self.home, self.id, self._lock)
            self._lock = -1

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ensure_state(home: Home) -> None:
    try:
        make_folder(home.state)
    except OSError as error:
        raise StorageError(f"cannot make {home.state}: {error.strerror}; make the disk writable") from error


def _let_go(home: Home, run_id: str, lock: int) -> None:
    with contextlib.suppress(OSError):
        lock_path(home, run_id).unlink()
    os.close(lock)
