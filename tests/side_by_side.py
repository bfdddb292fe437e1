"""Which tests run one after the other where several run at a time (pytest-xdist), and which beside them."""

from xdist.scheduler import LoadScopeScheduling

ONE_BY_ONE = tuple(
    f"tests/system/test_{name}.py::"
    for name in (
        *("acknowledged", "campaign", "central_kill", "disk", "durable", "flood", "idle_line", "kill"),
        *("listen", "live", "replay", "replicate", "silence", "stolen_box"),
    )
)
"""What is timed, or takes most of the machine."""


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]
    """One worker begins with those that run one by one; whoever is free takes the next of the others."""

    def _split_scope(self, nodeid: str) -> str:
        return "one by one" if nodeid.startswith(ONE_BY_ONE) else nodeid
