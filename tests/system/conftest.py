"""What is timed, or takes most of the machine, runs one after the other where several tests run at a time."""

from pathlib import Path

import pytest

ONE_BY_ONE = {
    "test_acknowledged", "test_campaign", "test_central_kill", "test_disk", "test_durable", "test_flood",
    "test_idle_line", "test_kill", "test_listen", "test_live", "test_replay", "test_replicate",
    "test_silence", "test_stolen_box",
}  # fmt: skip


def pytest_itemcollected(item: pytest.Item) -> None:
    """Pytest-xdist gives a group to one worker, the largest first: the others' tests run beside it."""
    if item.path.parent == Path(__file__).parent and item.path.stem in ONE_BY_ONE:
        item.add_marker(pytest.mark.xdist_group("one_by_one"))
