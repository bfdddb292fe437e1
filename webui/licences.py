"""What the appliance is made of besides its own code: the packages it needs, the files the page carries."""

import functools
import io
import re
import tarfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_OWN = "greffier"
_VENDOR = Path(__file__).parent / "static" / "vendor"
_TEXT = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_TEXT_LIMIT = 200_000
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[(?P<extras>[^]]*)\])?")
_EXTRA = re.compile(r"extra == ['\"]([^'\"]+)['\"]")


@dataclass(frozen=True)
class Part:
    """A package or a vendored file; `texts` of its licence as they came with it."""

    name: str
    version: str
    licence: str
    page: str
    texts: tuple[str, ...]


@functools.cache
def parts() -> tuple[Part, ...]:
    """Everything, by name."""
    found = [_part(metadata.distribution(name)) for name in _needed()]
    return tuple(sorted([*found, *_vendored()], key=lambda part: part.name.lower()))


def own_version() -> str:
    """The version of Greffier that this page is of."""
    return metadata.version(_OWN)


def source() -> bytes:
    """The source of what is running, a .tar.gz: the AGPL (13) gives everybody who uses it a right to it.

    Takes a second: the page has it done by `webui.press`.
    """
    packed = io.BytesIO()
    root = Path(__file__).parent.parent
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for room in ("appliance", "webui"):
            archive.add(root / room, f"greffier/{room}", filter=_sourced)
        for name in ("LICENSE", "pyproject.toml", "README.md", "requirements.lock"):
            if (root / name).is_file():
                archive.add(root / name, f"greffier/{name}", filter=_sourced)
    return packed.getvalue()


def _sourced(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if "__pycache__" in entry.name else entry


def _needed() -> list[str]:
    """The packages that Greffier needs at run, and what those need, as they are installed."""
    found: set[str] = set()
    waiting = [(_OWN, frozenset[str]())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        for requirement in metadata.requires(name) or ():
            needed = _REQUIREMENT.match(requirement)
            extra = _EXTRA.search(requirement)
            if needed is None or (extra and extra[1] not in extras):
                continue
            key = needed["name"].lower().replace("_", "-")
            asked = (key, frozenset(re.findall(r"[\w-]+", needed["extras"] or "")))
            if asked not in seen and _is_installed(key):
                seen.add(asked)
                found.add(key)
                waiting.append(asked)
    return sorted(found)


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _part(found: metadata.Distribution) -> Part:
    told = found.metadata
    texts = [
        text
        for file in found.files or ()
        if _TEXT.search(file.name)
        and file.name.rpartition(".")[2] not in ("py", "pyc")
        and (text := _text(Path(str(found.locate_file(file)))))
    ]
    licence = _licence(told) or _recognised(texts)
    return Part(told["Name"], found.version, licence, _page(told), tuple(texts))


def _recognised(texts: list[str]) -> str:
    """What a package that says no licence by name says by its text."""
    whole = " ".join(" ".join(texts).split())
    if "Permission is hereby granted, free of charge" in whole:
        return "MIT"
    return "BSD" if "Redistribution and use in source and binary forms" in whole else ""


def _licence(told: metadata.PackageMetadata) -> str:
    """An SPDX expression where there is one, else what the package calls it in a line, or its class."""
    if expression := _first(told, "License-Expression"):
        return str(expression)
    classified = [
        value.rpartition(" :: ")[2]
        for value in told.get_all("Classifier") or ()
        if value.startswith("License ::")
    ]
    line = _first(told, "License").strip().partition("\n")[0]
    return line if 0 < len(line) <= 60 else ", ".join(classified)


def _first(told: metadata.PackageMetadata, key: str) -> str:
    return str(next(iter(told.get_all(key) or ()), ""))


def _page(told: metadata.PackageMetadata) -> str:
    pages = [
        _first(told, "Home-page"),
        *(url.partition(",")[2].strip() for url in told.get_all("Project-URL") or ()),
    ]
    return next((page for page in pages if page.startswith("https://")), "")


def _vendored() -> list[Part]:
    """What lies below `static/vendor/`, as the table of its README has it: folder, what, version, licence."""
    found = []
    for line in _text(_VENDOR / "README.md").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        folder = _VENDOR / cells[0].strip("`/")
        if len(cells) >= 4 and folder.is_dir() and folder != _VENDOR:
            texts = tuple(filter(None, (_text(file) for file in sorted(folder.glob("LICEN*")))))
            found.append(Part(cells[1].partition(":")[0], cells[2], cells[3], "", texts))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:_TEXT_LIMIT]
    except OSError:
        return ""
