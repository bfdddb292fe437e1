"""Several runs and parts put together: sums are sums, and people are a range."""

from appliance.model.instants import DAY_NS, HOUR_NS
from appliance.statistics.statements import DayStatement, HourStatement, Use, Users
from appliance.statistics.summary import Range, periods

DAY = 20_000 * DAY_NS


def hour(number: int, users: int | None, *uses: tuple[str, str, int, int]) -> HourStatement:
    told = tuple(Use(place, use, octets, 1, Users(clients)) for place, use, octets, clients in uses)
    return HourStatement(DAY + number * HOUR_NS, None if users is None else Users(users), told)


def test_two_runs_in_an_hour_add_up_and_their_users_are_a_range() -> None:
    one, other = (
        hour(7, 5, ("none", "web", 100, 5)),
        hour(7, 9, ("none", "web", 30, 8), ("vlan 3", "mail", 7, 4)),
    )
    [period] = periods([("a", one), ("b", other)], "hour")
    assert period.users == Range(9, 14)
    assert (period.sums.octets, period.sums.connections) == (137, 3)
    assert (period.by_use["web"].octets, period.by_use["web"].clients) == (130, 8)
    assert {place: sums.octets for place, sums in period.by_place.items()} == {"none": 130, "vlan 3": 7}


def test_too_few_is_one_or_two_more() -> None:
    [period] = periods([("a", hour(7, 5)), ("a", hour(7, None))], "hour")
    assert period.users == Range(5, 7)
    assert (period.told, period.withheld) == (True, True)
    [alone] = periods([("a", hour(7, None))], "hour")
    assert (alone.told, alone.users) == (False, Range(1, 2))


def test_a_day_is_counted_once_its_runs_have_told() -> None:
    day = DayStatement(DAY, Users(40), (("android", Users(30)),))
    hours = [("a", hour(7, 25)), ("a", hour(9, 31))]
    [running] = periods(hours, "day")
    assert running.users == Range(31, None)
    [over] = periods([*hours, ("a", day)], "day")
    assert over.users == Range(40, 40)
    assert over.by_system == {"android": Range(30, 30)}
    [with_other] = periods([*hours, ("a", day), ("b", hour(9, 50))], "day")
    assert with_other.users == Range(50, None)
    assert periods([("a", day)], "hour") == []


def test_a_count_that_was_cut_has_no_upper_end() -> None:
    cut = HourStatement(DAY, Users(500_000, exact=False))
    assert periods([("a", cut), ("b", hour(0, 4))], "hour")[0].users == Range(500_000, None)
