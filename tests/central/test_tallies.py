"""What is refused is counted by day and reason, by any number of processes, and never grows with requests."""

import datetime as dt

import pytest
from peewee import PeeweeException

from appliance.central import tallies
from appliance.central.places import Central
from appliance.central.tables import Tally
from appliance.central.tallies import Reason, Tallies
from appliance.model.errors import CentralError

DAY = dt.date(2027, 1, 15)


def test_the_numbers_of_several_processes_are_added(central: Central) -> None:
    one, other = Tallies(), Tallies()
    for _ in range(1000):
        one.count(Reason.NOT_AUTHORISED)
    other.count(Reason.NOT_AUTHORISED)
    other.count(Reason.MALFORMED)
    one.write(central.database, DAY)
    other.write(central.database, DAY)
    one.write(central.database, DAY)
    assert tallies.refused_on(central.database, DAY) == {"not_authorised": 1001, "malformed": 1}
    assert Tally.select().count(central.database) == 2
    assert tallies.refused_on(central.database, DAY + dt.timedelta(days=1)) == {}


def test_what_cannot_be_written_now_is_written_later(central: Central) -> None:
    counted = Tallies()
    counted.count(Reason.CONFLICT)
    central.database.execute_sql("ALTER TABLE tally RENAME TO away")
    with pytest.raises((CentralError, PeeweeException)):
        counted.write(central.database, DAY)
    central.database.execute_sql("ALTER TABLE away RENAME TO tally")
    counted.count(Reason.CONFLICT)
    counted.write(central.database, DAY)
    assert tallies.refused_on(central.database, DAY) == {"conflict": 2}
