"""Hypothesis without deadlines (the machine may be busy), and without chance in continuous integration.

And which tests run beside which others, where several run at a time.
"""

import os
from typing import Any

import pytest
from hypothesis import settings

from tests import side_by_side
from tests.central.servers import central, central_kind, postgresql, s3

__all__ = ["central", "central_kind", "postgresql", "s3"]  # fixtures: servers start when a test asks for them

settings.register_profile("greffier", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("greffier"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "greffier")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    side_by_side.second_tries(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> side_by_side.SideBySide:
    return side_by_side.SideBySide(config, log)
