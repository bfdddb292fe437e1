"""Which tests run one after the other where several run at a time (pytest-xdist), and which beside them."""

from collections.abc import Iterable

import pytest
from xdist.scheduler import LoadScopeScheduling

ONE_BY_ONE = tuple(
    f"tests/system/test_{name}.py::"
    for name in (
        *("acknowledged", "campaign", "central_kill", "disk", "durable", "flood", "idle_line", "kill"),
        *("listen", "live", "replay", "replicate", "silence", "stolen_box"),
    )
)
"""What is timed, or takes most of the machine."""


REAL_TIME = (
    *("bench", "capture", "central", "cli", "control", "listeners", "replication"),
    *("runtime", "services", "system", "webui"),
)
"""Folders whose tests judge processes, servers and browsers by the clock: whatever else a machine does may
hold one up. Such a test is tried a second time; the closing line says so, and then it is to be looked at.
"""


def second_tries(tests: Iterable[pytest.Item]) -> None:
    """Mark those that may be tried twice; a test that works without a clock fails at once."""
    for test in tests:
        if test.nodeid.startswith(tuple(f"tests/{folder}/" for folder in REAL_TIME)):
            test.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]
    """One worker begins with those that run one by one; whoever is free takes the next of the others."""

    def _split_scope(self, nodeid: str) -> str:
        return "one by one" if nodeid.startswith(ONE_BY_ONE) else nodeid
