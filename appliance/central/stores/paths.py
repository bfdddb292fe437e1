"""Paths in a store: `SITE/NAME.SHA256`. What is not of this form reaches no disk and no bucket. Pure."""

import re

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"
_PATH = re.compile(rf"[0-9a-f]{{64}}(/{_PART}){{1,6}}", re.ASCII)
_PREFIX = re.compile(rf"([0-9a-f]{{64}}(/{_PART}){{0,6}}/?)?", re.ASCII)


def is_path(text: str) -> bool:
    """Whether something can lie under this name."""
    return _PATH.fullmatch(text) is not None


def checked(path: str) -> str:
    """The path as it is; ValueError if it could lead elsewhere."""
    if not is_path(path):
        raise ValueError(f"{path!r} is not the path of an object")
    return path


def checked_prefix(prefix: str) -> str:
    """The beginning of paths as it is, whole sites at least; ValueError if it could lead elsewhere."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"{prefix!r} is not the beginning of the path of an object")
    return prefix
