"""The table that comes with Greffier, read out of its TOML."""

import functools
import tomllib
from pathlib import Path
from typing import Any

from appliance.retention.legal.calendar import Basis, Table

GENERAL = ("who", "never", "sanctions", "caution")
"""What stands behind the text of every basis, in this order."""


@functools.cache
def france() -> Table:
    """The bases of France as they were found in November 2026; see the head of fr.toml."""
    table = tomllib.loads(Path(__file__).with_name("fr.toml").read_text(encoding="utf-8"))
    return Table(table["dated"], tuple(_basis(basis, table["general"]) for basis in table["basis"]))


def _basis(told: dict[str, Any], general: dict[str, dict[str, str]]) -> Basis:
    texts = {
        language: "\n\n".join(
            [told["texts"][language].strip(), *(general[language][part].strip() for part in GENERAL)]
        )
        for language in general
    }
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
