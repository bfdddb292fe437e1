"""A verb as a step of the audit chain: written down as begun by this machine's user before it is done."""

import contextlib
import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from appliance.control.messages import Actor
from appliance.control.steps import Step

if TYPE_CHECKING:
    from appliance.vault.names import Home

ORIGIN = "console"


def actor() -> Actor:
    """Whoever runs the command, as the machine knows him; behind sudo also who called it."""
    user = _name(os.getuid())
    caller = os.environ.get("SUDO_USER", "")
    return Actor(f"{caller} as {user}" if caller and caller != user else user, "system", ORIGIN)


@contextlib.contextmanager
def noted(
    home: "Home", step: Step, subject: str = "", details: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Note a step, then let it be done; a copy of a home without box.key cannot sign and says so.

    Raises HomeError, StorageError if it cannot be written down: then it is not done.
    """
    from appliance.audit import book

    if not home.signing_key.exists():
        print(f"greffier: '{step}' is not noted: without box.key this home is a copy", file=sys.stderr)
        yield
        return
    with book.noted(home, actor(), step, subject, details):
        yield


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
