"""Which runs are alive: each holds the lock of a file of its own, which the kernel drops when it dies."""

from pathlib import Path

from appliance.runtime import locks
from appliance.vault.names import Home

_LOCK_PREFIX, _LOCK_SUFFIX = "run-", ".lock"


def lock_path(home: Home, run_id: str) -> Path:
    return home.state / f"{_LOCK_PREFIX}{run_id}{_LOCK_SUFFIX}"


def is_live(home: Home, run_id: str) -> bool:
    """Whether the process of a run is alive."""
    return locks.is_held(lock_path(home, run_id))


def unclosed(home: Home) -> list[str]:
    """The runs that left their lock behind without holding it: they were killed, or the power failed."""
    names = (path.name for path in home.state.glob(f"{_LOCK_PREFIX}*{_LOCK_SUFFIX}"))
    ids = sorted(name[len(_LOCK_PREFIX) : -len(_LOCK_SUFFIX)] for name in names)
    return [run_id for run_id in ids if not is_live(home, run_id)]


def live(home: Home) -> list[str]:
    """The runs whose process is alive."""
    names = (path.name for path in home.state.glob(f"{_LOCK_PREFIX}*{_LOCK_SUFFIX}"))
    ids = sorted(name[len(_LOCK_PREFIX) : -len(_LOCK_SUFFIX)] for name in names)
    return [run_id for run_id in ids if is_live(home, run_id)]
