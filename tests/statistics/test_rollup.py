"""Rollups against `summary`, which makes the same of statements one by one; and who may be singled out."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.classify.categories import Category, OsFamily
from appliance.model.instants import DAY_NS, HOUR_NS, start_of, to_iso
from appliance.runtime.files import write_many
from appliance.statistics import archive, files, summary
from appliance.statistics.files import Damage
from appliance.statistics.rollup import Rollup, View
from appliance.statistics.rollups import Rollups
from appliance.statistics.statements import DayStatement, HourStatement, Statement, Use, Users, line
from appliance.statistics.summary import Period, Range, Sums
from appliance.vault.names import Home

FIRST = dt.date(2026, 2, 26)  # a Thursday: weeks and months change within the days below
START = start_of(FIRST)
LAST = FIRST + dt.timedelta(days=4)
RUNS = ("cafe0123", "feed0001")
PLACES = ("02:50:5e:10:00:03", "vlan 20", "none", "all")
NOW = START + 9 * DAY_NS

counts = st.builds(Users, st.integers(3, 900), st.sampled_from((True, True, False)))
uses = st.builds(
    Use,
    st.sampled_from(PLACES),
    st.sampled_from([one.name.lower() for one in Category]),
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 20),
    counts,
)
hours = st.builds(
    lambda number, users, of_hour: HourStatement(
        START + number * HOUR_NS, users, tuple(of_hour) if users else ()
    ),
    st.integers(0, 5 * 24 - 1),
    st.none() | counts,
    st.lists(uses, max_size=4),
)
systems = st.dictionaries(st.sampled_from([one.name.lower() for one in OsFamily]), counts, max_size=3)
days = st.builds(
    lambda number, users, of_day, few: DayStatement(
        START + number * DAY_NS, users, tuple(of_day.items()), few or users is None
    ),
    st.integers(0, 4),
    st.none() | counts,
    systems,
    st.booleans(),
)
told = st.lists(st.tuples(st.sampled_from(RUNS), hours | days), max_size=12)


def write(home: Home, statements: Collection[tuple[str, Statement]]) -> None:
    home.state.mkdir(parents=True, exist_ok=True)
    together: dict[Path, str] = defaultdict(str)
    for run, statement in statements:
        day = FIRST + dt.timedelta(days=(statement.start_ns - START) // DAY_NS)
        together[home.statistics / str(day) / f"{run}-000000.jsonl"] += f"{line(statement)}\n"
    if together:
        write_many([(path, text.encode()) for path, text in together.items()])


def rollup(home: Home) -> Rollup:
    return Rollups(home, lambda: NOW).now()


def said(users: Range, told: bool) -> tuple[int, int]:
    """As a `Told` says it."""
    return users.least if told else 0, -1 if users.most is None else users.most


def expected(periods: Collection[Period], by: str) -> list[tuple[object, ...]]:
    size = 13 if by == "hour" else 10
    ends = ":00:00Z" if by == "hour" else ""
    return [
        (
            to_iso(one.start_ns)[:size] + ends,
            *said(one.users, one.told),
            one.sums.octets,
            one.sums.connections,
            one.withheld,
        )
        for one in periods
    ]


def rows(view: View) -> list[tuple[object, ...]]:
    t = view.periods
    return list(zip(t.starts, t.least, t.most, t.octets, t.connections, t.too_few, strict=True))


def joined(periods: Collection[Period], which: str) -> dict[str, Sums]:
    found: dict[str, Sums] = {}
    for period in periods:
        for name, sums in getattr(period, which).items():
            found.setdefault(name, Sums()).join(sums)
    return found


@given(told, st.integers(0, 4), st.integers(0, 4), st.booleans())
@settings(deadline=None, max_examples=60)
def test_it_tells_what_the_statements_tell(
    tmp_path_factory: pytest.TempPathFactory,
    statements: list[tuple[str, Statement]],
    begin: int,
    end: int,
    packed: bool,
) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    write(home, statements)
    if packed:
        archive.compact(home, NOW)
    begin, end = min(begin, end), max(begin, end)
    first, last = FIRST + dt.timedelta(days=begin), FIRST + dt.timedelta(days=end)
    among = list(files.read(home, start_of(first), start_of(last) + DAY_NS, Damage()))
    for by in ("hour", "day"):
        periods = summary.periods(among, by)
        view = rollup(home).view(by, first, last)
        assert rows(view) == expected(periods, by)
        # A use of nothing is no use.
        assert view.uses == joined(periods, "by_use")
        assert view.places == joined(periods, "by_place")
        of_days = summary.periods(among, "day")
        assert view.unnamed == any(one.unnamed for one in of_days)
        assert set(view.systems) == {name for one in of_days for name in one.by_system}
        for name, users in view.systems.items():
            best = [one.by_system[name] for one in of_days if name in one.by_system]
            assert users.least == max(one.least for one in best)
            assert users.most == (
                None if any(one.most is None for one in best) else max(one.most or 0 for one in best)
            )


def hour(number: int, users: int | None, *of_hour: tuple[str, str, int, int]) -> HourStatement:
    cells = tuple(Use(place, use, octets, 1, Users(clients)) for place, use, octets, clients in of_hour)
    return HourStatement(START + number * HOUR_NS, None if users is None else Users(users), cells)


def test_who_came_on_two_days_of_a_week_is_counted_on_both(tmp_path: Path) -> None:
    """Thursday, Friday, Saturday; Sunday is the 1st of March, Monday the 2nd."""
    home = Home(tmp_path)
    counted = (30, 50, 20, 7, 9)
    write(
        home, [(RUNS[0], DayStatement(START + at * DAY_NS, Users(count))) for at, count in enumerate(counted)]
    )
    weeks = rollup(home).view("week", FIRST, LAST).periods
    assert (weeks.starts, weeks.least, weeks.most) == (["2026-02-23", "2026-03-02"], [50, 9], [107, 9])
    months = rollup(home).view("month", FIRST, LAST).periods
    assert (months.starts, months.least, months.most) == (["2026-02-01", "2026-03-01"], [50, 9], [100, 16])


def test_of_some_places_only_what_their_cells_say(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write(
        home,
        [
            (
                RUNS[0],
                hour(7, 12, ("vlan 20", "web", 100, 5), ("none", "web", 7, 4), ("vlan 20", "mail", 1, 3)),
            ),
            (RUNS[0], hour(8, 9, ("none", "web", 30, 8), ("all", "other", 4, 3))),
            (RUNS[0], hour(9, None)),
            (RUNS[0], hour(10, 6, ("none", "mail", 8, 6))),
        ],
    )
    view = rollup(home).view("hour", FIRST, LAST, {"vlan 20", "02:50:5e:10:00:03"})
    at = [f"{FIRST}T{number:02}:00:00Z" for number in (7, 8, 9)]
    assert rows(view) == [
        (at[0], 5, -1, 101, 2, False),
        (at[1], 0, -1, 0, 0, True),  # some of it may have been put to others
        (at[2], 0, -1, 0, 0, True),
    ]
    assert view.uses == {"web": Sums(100, 1, 5), "mail": Sums(1, 1, 3)}
    assert set(view.places) == {"vlan 20", "none", "all"}
    nowhere = rollup(home).view("day", FIRST, LAST, {"vlan 3"})
    assert nowhere.uses == {}
    assert rows(nowhere) == [(str(FIRST), 0, -1, 0, 0, True)]


def test_a_day_of_which_nothing_is_ours_is_no_day(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_many([(home.statistics / str(FIRST) / "dead0000-0.jsonl", b'{"hour":1}\n')])
    kept = Rollups(home, lambda: NOW)
    assert (kept.now().known, kept.now().view("day", FIRST, LAST).periods.starts) == (None, [])
    assert kept.damaged_lines == 1


def test_a_change_is_seen_within_a_second_and_a_day_that_went_is_gone(tmp_path: Path) -> None:
    import shutil
    import time

    home = Home(tmp_path)
    write(home, [(RUNS[0], hour(7, 5, ("none", "web", 10, 5)))])
    kept = Rollups(home)
    assert kept.now().view("day", FIRST, LAST).periods.octets == [10]
    write(home, [(RUNS[1], hour(30, 5, ("none", "web", 20, 5)))])
    until = time.monotonic() + 10
    while kept.now().view("day", FIRST, LAST).periods.octets != [10, 20]:
        assert time.monotonic() < until
        time.sleep(0.1)
    shutil.rmtree(home.statistics / str(FIRST))
    while kept.now().known != (FIRST + dt.timedelta(days=1),) * 2:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_what_is_not_ours_is_left_out_and_counted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write(home, [(RUNS[0], hour(7, 5, ("none", "web", 10, 5)))])
    strange = [
        '{"hour":"2026-02-26T08:00:00Z","users":2,"cells":[]}',
        '{"hour":"2026-02-26T08:00:00Z","users":9,"cells":[{"place":"none","use":"web","bytes":5,'
        '"connections":1,"clients":2}]}',
        '{"hour":"2026-02-26T08:00:00Z","users":9,"cells":[{"place":"room 12","use":"web","bytes":5,'
        '"connections":1,"clients":9}]}',
        '{"hour":"2026-02-26T08:00:00Z","users":9,"cells":[{"place":"none","use":"www.hotel.fr","bytes":5,'
        '"connections":1,"clients":9}]}',
        '{"day":"2026-02-26","users":9,"systems":[{"system":"bob","clients":9}]}',
        '{"day":"2026-02-26","users":1,"systems":[]}',
    ]
    for number, text in enumerate(strange):
        write_many([(home.statistics / str(FIRST) / f"dead0000-{number}.jsonl", f"{text}\n".encode())])
    for _ in range(2):  # loose, and packed
        kept = Rollups(home, lambda: NOW)
        view = kept.now().view("hour", FIRST, LAST)
        assert rows(view) == [(f"{FIRST}T07:00:00Z", 5, 5, 10, 1, False)]
        assert view.systems == {}
        assert kept.damaged_lines == len(strange)
        archive.compact(home, NOW)
    assert len(list((home.statistics / str(FIRST)).iterdir())) == 1


@given(told, st.sets(st.sampled_from(PLACES)), st.sets(st.sampled_from(PLACES)))
@settings(deadline=None, max_examples=40)
def test_no_view_and_no_difference_of_two_is_about_fewer_than_three(
    tmp_path_factory: pytest.TempPathFactory,
    statements: list[tuple[str, Statement]],
    some: set[str],
    others: set[str],
) -> None:
    """What two views differ by are whole stored cells, and each of those has three clients.

    All that a reader can ask for is asked for: each hour by itself, of each set of places.
    """
    home = Home(tmp_path_factory.mktemp("home"))
    write(home, statements)
    joined = rollup(home)
    for view in (
        joined.view(by, FIRST, LAST, of) for by in ("hour", "day", "week", "month") for of in ((), some)
    ):
        assert all(users == 0 or users >= 3 for users in view.periods.least)
        assert all(part.clients >= 3 for part in (*view.uses.values(), *view.places.values()))
        assert all(users.least >= 3 for users in view.systems.values())
    cells = [use for _, one in statements if isinstance(one, HourStatement) for use in one.uses]
    if not some | others or not some:
        return
    whole, part = (joined.view("month", FIRST, LAST, of).uses for of in (some | others, some))
    for name, sums in whole.items():
        left = sums.octets - part.get(name, Sums()).octets
        between = [use for use in cells if use.use == name and use.place in others - some]
        assert left == sum(use.octets for use in between)
        assert all(use.clients.least >= 3 for use in between)
