"""Translations: who was behind an outside port, judged by a plain loop over what was told."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.identity.translations import Translations
from appliance.model.instants import HOUR_NS, NS
from appliance.model.reasons import EndReason, Evidence
from appliance.model.rows import BINDING, TRANSLATION
from tests.identity.stated import TEN, Rows, seconds, translation

ONE, OTHER, WEB, MAIL = "10.0.0.7", "10.0.0.8", "198.51.100.1", "198.51.100.2"
ENDED, GOES_ON = EndReason.END_OF_FLOW, EndReason.ACTIVE_TIMEOUT

together = pytest.mark.parametrize("together", [False, True], ids=["one by one", "one batch"])


def observed(*stated: Rows, together: bool) -> tuple[Translations, Rows]:
    table = Translations()
    batches = [np.concatenate(stated)] if together else list(stated)
    return table, np.concatenate([np.zeros(0, BINDING), *(table.observe(batch, 3) for batch in batches)])


@together
def test_a_translation_runs_from_its_creation_to_its_deletion(together: bool) -> None:
    table, rows = observed(
        translation(0, ONE, 50000, 40001, WEB), translation(90, ONE, 50000, 40001, WEB, released=1),
        together=together,
    )  # fmt: skip
    assert seconds(rows, "port", "nat_port", "nat_port_last", "peer_port", "protocol", "source") == [
        (0, 90, 50000, 40001, 40001, 443, 6, 3)
    ]
    assert (rows["evidence"][0], rows["end_reason"][0], len(table)) == (Evidence.NAT, ENDED, 0)
    assert not rows["mac"].any()


@together
def test_a_port_given_to_another_was_the_first_ones_no_longer(together: bool) -> None:
    table, rows = observed(
        translation(0, ONE, 50000, 40001), translation(60, OTHER, 50000, 40001),
        translation(61, ONE, 50000, 40001, released=1), translation(70, OTHER, 50000, 40001, released=1),
        together=together,
    )  # fmt: skip
    assert [(*each[:2], each[2] & 0xFF) for each in seconds(rows, "ip_lo")] == [
        (0, 60, 7),
        (60, 70, 8),
        (61, 61, 7),  # what was told late of the first is kept as told
    ]
    assert len(table) == 0


@together
def test_one_outside_port_serves_several_peers_at_once(together: bool) -> None:
    table, rows = observed(
        translation(0, ONE, 50000, 40001, WEB), translation(5, OTHER, 50000, 40001, MAIL),
        translation(60, ONE, 50000, 40001, WEB, released=1), together=together,
    )  # fmt: skip
    assert seconds(rows) == [(0, 60)]
    assert seconds(table.cut(TEN + 100 * NS), "port") == [(5, 100, 50000)]


def test_a_block_of_ports_stands_for_hours_in_parts_and_for_a_day_at_most() -> None:
    table, _ = observed(translation(0, ONE, 0, 1024, last=2047, protocol=0), together=True)
    rows = np.concatenate([table.expire(TEN + hour * HOUR_NS) for hour in range(1, 30)])
    assert len(rows) == 25
    assert set(rows["nat_port_last"].tolist()) == {2047}
    assert (rows["from"].min(), rows["until"].max()) == (TEN, TEN + 24 * HOUR_NS)
    assert len(table) == 0


def test_a_whole_period_in_one_statement() -> None:
    stated = translation(0, ONE, 50000, 40001, WEB, until=TEN + 45 * NS)
    table, rows = observed(stated, together=True)
    assert not len(rows)
    assert seconds(table.expire(TEN + 46 * NS), "end_reason") == [(0, 45, ENDED)]


def test_the_end_of_what_was_not_known_to_be_open_says_that_it_was() -> None:
    table, rows = observed(translation(9, ONE, 50000, 40001, WEB, released=1), together=True)
    assert seconds(rows, "nat_port", "evidence", "end_reason") == [(9, 9, 40001, Evidence.NAT, ENDED)]
    assert len(table) == 0


def test_a_full_table_closes_the_longest_unheard_of_and_says_so() -> None:
    table = Translations(limit=100)
    stated = [translation(number / 10, ONE, 2000 + number, 30000 + number, WEB) for number in range(250)]
    rows = table.observe(np.concatenate(stated), 0)
    assert (len(table), table.evicted) == (100, 150)
    assert set(rows["end_reason"].tolist()) == {EndReason.LACK_OF_RESOURCES}
    everything = np.concatenate([rows, table.close()])
    assert sorted(everything["nat_port"].tolist()) == list(range(30000, 30250))


def test_the_journal_hears_of_each_translation_once() -> None:
    table, _ = observed(translation(0, ONE, 50000, 40001, WEB), together=True)
    assert seconds(table.changed(), "end_reason") == [(0, 3600, 0)]
    assert not len(table.changed())
    table.forget_reported()
    assert len(table.changed()) == 1


TOLD = st.tuples(st.integers(0, 100), st.integers(1, 3), st.integers(1, 2), st.booleans())
"""Minute, inside host, outside port, released."""


def owners(told: list[tuple[int, int, int, bool]]) -> dict[tuple[int, int], set[int]]:
    """Who has which outside port in which minute, by a plain loop."""
    found = defaultdict(set)
    for minute, port in itertools.product(range(102), (1, 2)):
        now = 0
        for at, host, of, released in told:
            if at <= minute and of == port:
                now = host if not released else 0 if host == now else now
        if now:
            found[minute, port].add(now)
    return found


@settings(max_examples=150, deadline=None)
@given(told=st.lists(TOLD, max_size=16, unique_by=lambda one: one[0]), cuts=st.lists(st.integers(0, 16)))
def test_a_port_has_one_owner_at_every_instant(
    told: list[tuple[int, int, int, bool]], cuts: list[int]
) -> None:
    told = sorted(told)
    bounds = sorted({0, len(told), *(cut for cut in cuts if cut < len(told))})
    table, rows = Translations(), [np.zeros(0, BINDING)]
    for begin, end in itertools.pairwise(bounds):
        batch = [translation(at * 60, f"10.0.0.{host}", 7, port, released=released)
                 for at, host, port, released in told[begin:end]]  # fmt: skip
        rows.append(table.observe(np.concatenate([np.zeros(0, TRANSLATION), *batch]), 0))
        if begin in cuts:
            rows.append(table.cut(TEN + told[end - 1][0] * 60 * NS))
    rows.append(table.cut(TEN + 102 * 60 * NS))
    found: dict[tuple[int, int], set[int]] = defaultdict(set)
    for row, minute in itertools.product(np.concatenate(rows), range(102)):
        if row["from"] <= TEN + (minute * 60 + 30) * NS <= row["until"]:
            found[minute, int(row["nat_port"])].add(int(row["ip_lo"]) & 0xFF)
    assert found == owners(told)
