"""The files that every page is made of besides its words: stylesheets, scripts, icons. Read once, named here.

What is not in `static/` when the page starts cannot be asked for, so no path leads out of it.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class Asset:
    """One file; `version` changes with its content, so that browsers may keep it for ever."""

    content_type: str
    content: bytes
    version: str


@functools.cache
def assets() -> Mapping[str, Asset]:
    """Every file by its path below `static/`, with slashes."""
    found = {}
    for file in sorted(FOLDER.rglob("*")):
        if file.suffix in _TYPES and file.is_file():
            content = file.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:12]
            found[file.relative_to(FOLDER).as_posix()] = Asset(_TYPES[file.suffix], content, version)
    return found


def url_of(name: str) -> str:
    """Where a page finds a file. Raises KeyError: a template names a file that is not there."""
    return f"/static/{name}?v={assets()[name].version}"
