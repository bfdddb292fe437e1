"""Long lists page by page: a thousand rows take a box's processor a tenth of a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from webui.routing import Asked

ROWS = 200

Row = TypeVar("Row")


@dataclass(frozen=True)
class Leaf(Generic[Row]):
    """The rows of one page, and the addresses of those before and after; empty where there is none."""

    rows: Sequence[Row]
    first: int
    found: int
    before: str
    after: str


def leaf(asked: Asked, path: str, rows: Sequence[Row]) -> Leaf[Row]:
    """The page that the query's `page` names, the first where it names none; the rest of the query stays."""
    wanted = asked.query.get("page", "")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else 1
    pages = max(1, -(-len(rows) // ROWS))
    number = min(max(number, 1), pages)
    kept = {key: value for key, value in asked.query.items() if key not in ("page", "language") and value}

    def address(other: int) -> str:
        return f"{path}?{urlencode({**kept, 'page': other})}" if 1 <= other <= pages else ""

    first = (number - 1) * ROWS
    return Leaf(rows[first : first + ROWS], first, len(rows), address(number - 1), address(number + 1))
