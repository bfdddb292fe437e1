"""Hypothesis without deadlines (the machine may be busy), and without chance in continuous integration."""

import os

from hypothesis import settings

from tests.central.servers import central, central_kind, postgresql, s3

__all__ = ["central", "central_kind", "postgresql", "s3"]  # fixtures: servers start when a test asks for them

settings.register_profile("greffier", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("greffier"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "greffier")
