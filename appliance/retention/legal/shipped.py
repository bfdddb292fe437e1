"""The table that comes with Greffier, read out of its TOML."""

import functools
import tomllib
from pathlib import Path
from typing import Any

from appliance.retention.legal.calendar import Basis, Table

GENERAL = ("who", "never", "sanctions", "caution")
"""What holds for every basis, in this order."""


@functools.cache
def france() -> Table:
    """The bases of France as they were found in November 2026; see the head of fr.toml."""
    table = tomllib.loads(Path(__file__).with_name("fr.toml").read_text(encoding="utf-8"))
    general = {
        language: {part: parts[part].strip() for part in GENERAL}
        for language, parts in table["general"].items()
    }
    return Table(table["dated"], tuple(_basis(basis, tuple(general)) for basis in table["basis"]), general)


def _basis(told: dict[str, Any], languages: tuple[str, ...]) -> Basis:
    texts = {language: told["texts"][language].strip() for language in languages}
    known = {key: told[key] for key in ("first_day", "last_day", "longest_days", "warn_days") if key in told}
    return Basis(
        told["key"],
        tuple(told["vaults"]),
        told["term_years"],
        tuple(told["articles"]),
        tuple(told["sources"]),
        texts,
        **known,
    )
