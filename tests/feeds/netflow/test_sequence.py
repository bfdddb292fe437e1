"""What was numbered and never came: gaps, late messages, doubles, restarts, for each version's way of
counting."""

import numpy as np
import pytest

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.netflow.sequence import PATIENCE_NS
from appliance.model.texts import Texts
from tests.feeds.netflow.forms import NOW_NS, UPTIME_MS, a_set, ipfix, messages, record, template, v5, v9

LATER = NOW_NS + PATIENCE_NS + 1
FIVE = record() * 5


def lost(*payloads: bytes) -> tuple[int, int]:
    """(lost, restarts) that these messages end with."""
    decoder = NetflowDecoder(Texts())
    told = [decoder.decode(messages(each)) for each in payloads] + [decoder.expire(LATER)]
    return (
        sum(each.lost["sequence"] for each in told),
        sum(each.noted["sequence_restarted"] for each in told),
    )


def v5s(*numbers: int) -> list[bytes]:
    return [v5(5, sequence=number) for number in numbers]


def v9s(*numbers: int) -> list[bytes]:
    return [v9(a_set(0, template(256)), a_set(256, FIVE), sequence=number) for number in numbers]


def ipfixes(*numbers: int) -> list[bytes]:
    return [ipfix(a_set(2, template(256)), a_set(256, FIVE), sequence=number) for number in numbers]


@pytest.mark.parametrize(
    ("exports", "step"),
    [(v5s, 5), (v9s, 1), (ipfixes, 5)],
    ids=["v5 counts flows", "v9 messages", "IPFIX records"],
)
class TestEveryVersion:
    def test_no_gap(self, exports, step: int) -> None:
        assert lost(*exports(*(1000 + step * n for n in range(9)))) == (0, 0)

    def test_gap(self, exports, step: int) -> None:
        assert lost(*exports(1000, 1000 + step * 4)) == (step * 3, 0)

    def test_late_message_fills_its_gap(self, exports, step: int) -> None:
        assert lost(*exports(*(1000 + step * n for n in (0, 3, 2, 1, 4)))) == (0, 0)
        assert lost(*exports(*(1000 + step * n for n in (0, 4, 2, 5)))) == (step * 2, 0)

    def test_double(self, exports, step: int) -> None:
        assert lost(*exports(*(1000 + step * n for n in (0, 1, 1, 2, 1, 3)))) == (0, 0)

    def test_wrap(self, exports, step: int) -> None:
        begin = 2**32 - step * 2
        assert lost(*exports(*((begin + step * n) % 2**32 for n in range(5)))) == (0, 0)
        assert lost(*exports(*((begin + step * n) % 2**32 for n in (0, 1, 3, 4)))) == (step, 0)

    def test_restart(self, exports, step: int) -> None:
        assert lost(*exports(*(1_000_000 + step * n for n in range(3)), *(step * n for n in range(3)))) == (
            0,
            1,
        )

    def test_restart_soon_after_another(self, exports, step: int) -> None:
        numbers = [0, step, step * 2, step * 3, 0, step, step * 2, step * 3]
        assert lost(*exports(*numbers)) == (0, 1)


def test_domains_are_numbered_apart() -> None:
    assert lost(
        *(v9(sequence=n, domain=1) for n in (1, 2)),
        *(v9(sequence=n, domain=2) for n in (50, 52)),
        *(v9(sequence=n, domain=1) for n in (3, 4)),
    ) == (1, 0)
    assert lost(v5(5, 0, engine=1), v5(5, 700, engine=2), v5(5, 5, engine=1), v5(5, 705, engine=2)) == (0, 0)


def test_sysuptime_tells_a_restart_from_a_gap() -> None:
    restarted = v9(sequence=70, uptime=1000)
    assert lost(v9(sequence=10, uptime=UPTIME_MS), v9(sequence=11, uptime=UPTIME_MS), restarted) == (0, 1)


def test_unknown_number_of_records_is_no_loss() -> None:
    unknown = ipfix(a_set(999, bytes(80)), sequence=5)
    assert lost(*ipfixes(0), unknown, *ipfixes(25, 30)) == (0, 0)


def test_options_records_are_numbered_too() -> None:
    options = template(257, ((149, 4), (41, 8)))
    options = options[:4] + b"\0\1" + options[4:]
    both = ipfix(
        a_set(3, options), a_set(257, bytes(24)), a_set(2, template(256)), a_set(256, FIVE), sequence=0
    )
    assert lost(both, *ipfixes(7)) == (0, 0)


def test_numbers_at_random_end_and_are_bounded() -> None:
    numbers = np.random.default_rng(7).integers(0, 2**32, 3000).tolist()
    gone, restarts = lost(*v9s(*numbers[:300]))
    assert 0 <= gone <= 300 * 1_000_000
    assert restarts <= 300


def numbered(version, way: str, counts: list[int]) -> list[bytes]:
    """Messages of so many records each, numbered as some devices do instead of as prescribed."""
    payloads, records, begin = [], 0, 1000
    for place, count in enumerate(counts):
        number = {"records": records, "records so far": records + count, "messages": place}[way]
        sets = (a_set(0 if version is v9 else 2, template(256)), a_set(256, record() * count))
        payloads.append(version(*sets, sequence=begin + number))
        records += count
    return payloads


COUNTS = np.random.default_rng(3).integers(1, 30, 60).tolist()
UNLIKE = [(v9, "records"), (v9, "records so far"), (ipfix, "records so far"), (ipfix, "messages")]


@pytest.mark.parametrize(("version", "way"), UNLIKE)
class TestOtherWaysOfNumbering:
    def test_no_loss_is_seen_where_there_is_none(self, version, way: str) -> None:
        for last in (2, 3, 4, 60):
            assert lost(*numbered(version, way, COUNTS[:last])) == (0, 0)

    def test_a_loss_is_seen(self, version, way: str) -> None:
        payloads = numbered(version, way, COUNTS)
        gone = sum(COUNTS[30:33]) if way.startswith("records") else 3
        assert lost(*payloads[:30], *payloads[33:]) == (gone, 0)


def test_a_number_that_never_changes_says_nothing() -> None:
    assert lost(*ipfixes(*[0] * 9)) == (0, 0)


def test_few_records_do_not_hide_a_lost_message() -> None:
    for per_message in (1, 2, 3):
        payloads = [v9(*(a_set(256, record()) for _ in range(per_message)), sequence=n) for n in range(20)]
        for missing in (1, 2, 3):
            assert lost(*payloads[:10], *payloads[10 + missing :])[0] == missing
