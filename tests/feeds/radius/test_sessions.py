"""What a session's messages claim, one after the other; the form of each is that of RFC 2866."""

import pytest

from appliance.feeds.radius.attributes import Code
from appliance.feeds.radius.decoder import SESSION_LIMIT
from appliance.feeds.told import Told
from appliance.model.addresses import ip_text, mac_number
from appliance.model.instants import NS
from appliance.model.reasons import Note, Refusal
from tests.feeds.radius.forged import (
    INTERIM,
    OFF,
    ON,
    RECEIVED_NS,
    START,
    STATION,
    STOP,
    Listener,
    request,
    session,
)

ADDRESS = (Code.FRAMED_IP_ADDRESS, bytes((10, 1, 2, 3)))
OTHER = (Code.FRAMED_IP_ADDRESS, bytes((10, 1, 2, 4)))


def claimed(told: Told) -> list[tuple[float, str, bool]]:
    """(seconds after RECEIVED_NS, address, whether it is given back)."""
    seconds = [(seen - RECEIVED_NS) / NS for seen in told.claims["seen"].tolist()]
    addresses = [ip_text(*halves) for halves in told.claims[["ip_hi", "ip_lo"]].tolist()]
    return list(zip(seconds, addresses, told.claims["released"].tolist(), strict=True))


def test_a_session_without_an_address_is_an_association() -> None:
    listener = Listener()
    assert claimed(listener.hear(session(START))) == [(0, "::", False)]
    assert claimed(listener.hear(session(INTERIM, ADDRESS), 60)) == [(60, "10.1.2.3", False)]
    told = listener.hear(session(STOP), 90)
    assert claimed(told) == [(90, "::", True)]
    assert listener.text(told.claims["session"][0]) == "a-1", "all of the session ends"


def test_another_address_within_a_session_ends_the_one_before() -> None:
    listener = Listener()
    listener.hear(session(START, ADDRESS))
    told = listener.hear(session(INTERIM, OTHER), 60)
    assert claimed(told) == [(60, "10.1.2.3", True), (60, "10.1.2.4", False)]
    assert told.claims["session"][0] == 0, "the end of an address is not the end of the session"


def test_a_session_whose_start_was_lost_is_taken_from_when_it_says_it_began() -> None:
    listener = Listener()
    told = listener.hear(session(STOP, ADDRESS, (Code.ACCT_SESSION_TIME, 600)))
    assert claimed(told) == [(-600, "10.1.2.3", False), (0, "10.1.2.3", True)]
    assert told.noted == {Note.SESSION_JOINED: 1}
    told = listener.hear(session(INTERIM, ADDRESS, (Code.ACCT_SESSION_TIME, 0xFFFFFFFF), name="b"))
    assert claimed(told) == [(-86_399, "10.1.2.3", False), (0, "10.1.2.3", False)]
    told = listener.hear(session(INTERIM, ADDRESS, (Code.ACCT_SESSION_TIME, 600), name="b", identifier=2), 60)
    assert claimed(told) == [(60, "10.1.2.3", False)]


def test_a_number_used_anew_for_another_station_is_another_session() -> None:
    listener = Listener()
    listener.hear(session(START))
    pairs = (
        (Code.ACCT_STATUS_TYPE, INTERIM),
        (Code.ACCT_SESSION_ID, "a-1"),
        (Code.CALLING_STATION_ID, "020000000099"),
        ADDRESS,
    )
    assert claimed(listener.hear(request(*pairs))) == [(0, "10.1.2.3", False)]


@pytest.mark.parametrize("status", [ON, OFF])
def test_a_device_that_comes_or_goes_ends_everything_at_its_access_point(status: int) -> None:
    told = Listener().hear(request((Code.ACCT_STATUS_TYPE, status), (Code.NAS_IDENTIFIER, "n")))
    assert claimed(told) == [(0, "::", True)]
    assert (told.claims["mac"][0], told.claims["ap_mac"][0]) == (0, 0)
    told = Listener().hear(
        request((Code.ACCT_STATUS_TYPE, status), (Code.CALLED_STATION_ID, "00-10-A4-23-19-C0:x"))
    )
    assert told.claims["ap_mac"][0] == mac_number("00-10-A4-23-19-C0")


def test_an_instant_is_the_devices_own_or_the_receipt_less_the_delay() -> None:
    listener = Listener()
    told = listener.hear(
        session(START, (Code.EVENT_TIMESTAMP, RECEIVED_NS // NS - 30), (Code.ACCT_DELAY_TIME, 9))
    )
    assert claimed(told)[0][0] == -30
    assert claimed(listener.hear(session(START, (Code.ACCT_DELAY_TIME, 9))))[0][0] == -9
    for absurd in (0, 1, 86_400, RECEIVED_NS // NS + 301, 0xFFFFFFFF):
        told = listener.hear(session(START, (Code.EVENT_TIMESTAMP, absurd), (Code.ACCT_DELAY_TIME, 9)))
        assert claimed(told)[0][0] == -9
        assert told.noted == {Note.DEVICE_CLOCK: 1}
    told = listener.hear(session(START, (Code.ACCT_DELAY_TIME, 0xFFFFFFFF)))
    assert claimed(told)[0][0] == 0
    assert told.noted == {Note.DEVICE_CLOCK: 1}


def test_out_of_a_file_only_the_devices_instant_counts() -> None:
    listener = Listener()
    told = listener.hear(session(START, (Code.EVENT_TIMESTAMP, 86_400)), -RECEIVED_NS / NS)
    assert told.claims["seen"].tolist() == [86_400 * NS]
    told = listener.hear(session(START), -RECEIVED_NS / NS)
    assert told.refused == {Refusal.UNDATED: 1}
    assert told.answers[0]


def test_what_names_neither_station_nor_address_is_answered_and_counted() -> None:
    told = Listener().hear(request((Code.ACCT_STATUS_TYPE, START), (Code.USER_NAME, "bob")))
    assert told.refused == {Refusal.NOTHING_TO_KEEP: 1}
    assert told.answers[0]
    told = Listener().hear(request((Code.ACCT_STATUS_TYPE, 15), (Code.CALLING_STATION_ID, STATION)))
    assert told.refused == {Refusal.NOTHING_TO_KEEP: 1}


def test_a_user_at_an_address_is_kept_without_a_mac() -> None:
    told = Listener().hear(request((Code.ACCT_STATUS_TYPE, START), (Code.USER_NAME, "bob"), ADDRESS))
    assert claimed(told) == [(0, "10.1.2.3", False)]
    assert told.claims["mac"][0] == 0


def test_a_request_without_its_status_is_none() -> None:
    told = Listener().hear(request((Code.USER_NAME, "bob"), ADDRESS))
    assert told.refused == {Refusal.BAD_MESSAGE: 1}
    assert told.answers[0] == b""


def test_sessions_that_never_end_do_not_grow_without_bound() -> None:
    listener = Listener()
    for number in range(SESSION_LIMIT + 200):
        listener.hear(session(START, name=f"s{number}"))
    assert len(listener.decoder._sessions) == SESSION_LIMIT
    assert len(listener.decoder._heard) <= 8_192
