"""Where the columns of a chart stand, in a box 1000 wide and 100 high that the page stretches. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 1000.0, 100.0
_FILLED = 0.78
"""Of a column's room, the rest is air."""


@dataclass(frozen=True)
class Column:
    """One value: its column, and above it how far it may reach at most (`more` high, from `more_y`)."""

    x: float
    width: float
    y: float
    height: float
    more: float
    more_y: float


@dataclass(frozen=True)
class ColumnChart:
    """`scale` are the values of the lines of the grid, the highest first; `grid` where they are."""

    columns: tuple[Column, ...]
    scale: tuple[float, ...]
    grid: tuple[float, ...]


def column_chart(values: Sequence[float | None], most: Sequence[float | None] | None = None) -> ColumnChart:
    """Columns of the values, None without one; `most` what each may be at most."""
    reaches = most if most is not None else values
    top = _round_up(max((value or 0 for value in (*values, *reaches)), default=0))
    room = WIDTH / max(1, len(values))
    columns = []
    for place, (value, reach) in enumerate(zip(values, reaches, strict=True)):
        height = _height(value or 0, top)
        more = max(0.0, _height(reach or 0, top) - height)
        columns.append(
            Column(
                x=round(place * room + room * (1 - _FILLED) / 2, 2),
                width=round(room * _FILLED, 2),
                y=round(HEIGHT - height, 2),
                height=round(height, 2),
                more=round(more, 2),
                more_y=round(HEIGHT - height - more, 2),
            )
        )
    return ColumnChart(tuple(columns), (top, top / 2, 0.0), (0.0, HEIGHT / 2, HEIGHT))


def bars(chart: ColumnChart, titles: Sequence[str]) -> Markup:
    """The columns as SVG, each with its title. Here and not in a template: there are hundreds on a page."""
    drawn = [_bar(column, escape(title)) for column, title in zip(chart.columns, titles, strict=True)]
    return Markup("\n".join(drawn))  # noqa: S704 - numbers of ours, and what was escaped


def evenly(words: Sequence[str], count: int) -> tuple[str, ...]:
    """At most `count` of the words, evenly spread, the first and the last among them."""
    if len(words) <= count:
        return tuple(words)
    return tuple(words[round(place * (len(words) - 1) / (count - 1))] for place in range(count))


def _bar(column: Column, title: Markup) -> str:
    place = f'x="{column.x}" width="{column.width}"'
    more = (
        f'<rect class="more" {place} y="{column.more_y}" height="{column.more}"></rect>'
        if column.more
        else ""
    )
    return (
        f'<g>{more}<rect class="bar" {place} y="{column.y}" height="{column.height}"></rect>'
        f'<rect class="reach" {place} y="0" height="100"><title>{title}</title></rect></g>'
    )


def _height(value: float, top: float) -> float:
    """A value that is not zero is seen: at least one of a hundred."""
    return max(1.0, HEIGHT * value / top) if value > 0 else 0.0


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 6, 8 times a power of ten: half of it is a round number, too."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))
