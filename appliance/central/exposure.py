"""Files of a central that other accounts of its machine may read, and must not."""

from collections.abc import Iterator
from pathlib import Path

from appliance.central.places import KEY, TLS

_SECRETS = (KEY, f"{TLS}/ca.key", f"{TLS}/server.key")


def exposed(folder: Path) -> Iterator[tuple[str, str]]:
    """The names of its keys that others may read or change, each with a sentence for who runs it."""
    for name in _SECRETS:
        path = folder / name
        if path.exists() and path.stat().st_mode & 0o077:
            mode = path.stat().st_mode & 0o777
            yield (
                name,
                f"may be used by other accounts (mode {mode:04o}), who can act as this central: "
                f"chmod 600 {path}",
            )
