"""Where columns stand: within the box, to scale, and none that is there is unseen."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from webui.charts import bars, column_chart, evenly

VALUES = st.lists(st.none() | st.integers(0, 10**15), max_size=400)


@given(VALUES)
def test_columns_lie_in_the_box_and_are_to_scale(values: list[int | None]) -> None:
    chart = column_chart(values)
    top = chart.scale[0]
    assert top >= max((value or 0 for value in values), default=0)
    for value, column in zip(values, chart.columns, strict=True):
        assert column.x >= 0
        assert column.x + column.width <= 1000.01
        assert column.y >= 0
        assert column.y + column.height <= 100.01
        assert (column.height > 0) == bool(value)
        if value and value > top / 100:
            assert abs(column.height - 100 * value / top) < 0.02


def test_what_may_be_more_stands_on_what_is_sure() -> None:
    column = column_chart([50], [80]).columns[0]
    assert (column.height, column.more) == (62.5, 37.5)
    assert column.more_y + column.more == column.y


def test_every_column_is_drawn_and_no_title_is_more_than_words() -> None:
    drawn = bars(column_chart([50, None, 3], [80, None, 3]), ('<b>"&', "two", "three"))
    root = ET.fromstring(f"<svg>{drawn}</svg>")
    assert [title.text for title in root.iter("title")] == ['<b>"&', "two", "three"]
    kinds = [[rect.get("class") for rect in group.iter("rect")] for group in root]
    assert kinds == [["more", "bar", "reach"], ["bar", "reach"], ["bar", "reach"]]


@given(st.lists(st.text(max_size=3), min_size=1, max_size=300), st.integers(2, 8))
def test_ticks_are_few_and_begin_and_end_with_the_words(words: list[str], count: int) -> None:
    ticks = evenly(words, count)
    assert len(ticks) == min(count, len(words))
    assert (ticks[0], ticks[-1]) == (words[0], words[-1])
