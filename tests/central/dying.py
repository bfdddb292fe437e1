"""A central whose process dies at a chosen step: each commit, each deletion, before or after it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.central import places
from appliance.central.places import Central

DEAD = 9


def dies_at(folder: Path, step: int, work: Callable[[Central], object]) -> bool:
    """Do some work in a process of its own that is gone, as by kill -9, at its step-th step; false if it
    came to its end before."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            central = places.open(folder)
            _count_down(central, step)
            work(central)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, DEAD), code
    return code == DEAD


def _count_down(central: Central, steps: int) -> None:
    left = steps

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            if left == 0:
                os._exit(DEAD)
            left -= 1
            result = real(*args, **kwargs)
            if left == 0:
                os._exit(DEAD)
            left -= 1
            return result

        return counted

    for owner, name in (
        (central.custody, "destroy"),
        (central.store, "delete"),
        (central.database, "commit"),
    ):
        setattr(owner, name, watched(getattr(owner, name)))
