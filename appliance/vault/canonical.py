"""Canonical JSON: the one way to write a value as bytes, so that bytes can be hashed, signed and compared.

Keys sorted, no spaces, ASCII only, integers only. FORMAT.md specifies it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def encode(value: Mapping[str, Any]) -> bytes:
    """The canonical bytes, without a newline."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def decode(line: bytes) -> dict[str, Any]:
    """The object in one line; ValueError unless the bytes are exactly what `encode` gives back."""
    try:
        value = json.loads(line)
        if isinstance(value, dict) and encode(value) == line:
            return value
    except (ValueError, RecursionError):
        pass
    raise ValueError("is not canonical JSON")


def sha256(content: bytes | memoryview) -> str:
    """The hash of some bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
