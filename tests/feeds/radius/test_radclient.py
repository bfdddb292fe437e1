"""Freeradius' client asks, with its own dictionaries, and judges the answers; tshark reads what it sent."""

import datetime as dt
import time
from pathlib import Path

from appliance.feeds.radius.decoder import RadiusDecoder
from appliance.model.addresses import ip_text, mac_number
from appliance.model.reasons import Evidence, Note, Refusal
from appliance.model.texts import Texts
from tests.feeds.radius.clients import SECRET, ask, dissect, write_capture

WIFI = """User-Name = "{user}"
Acct-Status-Type = {status}
Acct-Session-Id = "5F3A-{number}"
NAS-Identifier = "hotspot"
NAS-Port-Type = Wireless-802.11
Calling-Station-Id = "02-00-00-00-00-{number:02X}"
Called-Station-Id = "00-10-A4-23-19-C0:Gare du Nord"
Event-Timestamp = {now}
{more}"""

MORE = (
    ("Start", "Framed-IP-Address = 10.1.2.3"),
    ("Interim-Update", "Framed-IP-Address = 10.1.2.3\nAcct-Input-Octets = 4294967295"),
    ("Interim-Update", "Framed-IP-Address = 10.1.2.4\nAcct-Input-Gigawords = 3\nAcct-Input-Octets = 1"),
    ("Stop", "Framed-IP-Address = 172.31.255.254\nAcct-Output-Gigawords = 1\nAcct-Output-Octets = 5"),
    ("Start", "Framed-IPv6-Address = 2001:db8::17"),
    ("Interim-Update", "Framed-IPv6-Address = 2001:db8::17\nFramed-IPv6-Address = 2001:db8::18"),
    ("Start", "Class = 0x0102ff\nClass = 0x68656c6c6f\nProxy-State = 0x01\nProxy-State = 0x0203"),
    ("Stop", 'Aruba-Essid-Name = "Gare du Nord"\nFramed-IP-Address = 10.9.9.9'),
    ("Start", "Framed-IP-Address = 10.1.2.5\nMessage-Authenticator = 0x00"),
    ("Start", "Framed-IP-Address = 255.255.255.254"),
)  # fmt: skip


def requests() -> list[str]:
    return [
        WIFI.format(
            user=f"guest{number}@example", status=status, number=number, now=int(time.time()), more=more
        )
        for number, (status, more) in enumerate(MORE, 1)
    ]


def count(said: dict[str, list[str]], what: str) -> int:
    return (int(said.get(f"Acct_{what}_Gigawords", ["0"])[0]) << 32) + int(
        said.get(f"Acct_{what}_Octets", ["0"])[0]
    )


def test_what_radclient_sends_is_answered_as_it_wants_and_read_as_tshark_reads_it(tmp_path: Path) -> None:
    texts = Texts()
    exchange = ask(RadiusDecoder(texts, SECRET.encode()), requests())
    assert exchange.answered == len(MORE)
    assert exchange.said.count("\tProxy-State = 0x01\n") == 2
    write_capture(tmp_path / "asked.pcap", exchange.datagrams)
    dissected = dissect(tmp_path / "asked.pcap")
    assert len(dissected) == len(MORE) == len(exchange.told)
    for said, told in zip(dissected, exchange.told, strict=True):
        addresses = [a for a in said.get("Framed-IP-Address", []) if not a.startswith("255.")]
        addresses += said.get("Framed_IPv6_Address", [])
        claims = told.claims
        assert [ip_text(int(row["ip_hi"]), int(row["ip_lo"])) for row in claims] == (addresses or ["::"])
        instant = dt.datetime.fromisoformat(said["Event_Timestamp"][0].replace(".000000000Z", "+00:00"))
        place, _, ssid = said["Called_Station_Id"][0].partition(":")
        classes = ",".join(value.replace(":", "") for value in said.get("Class", []))
        for row in claims:
            assert row["seen"] == int(instant.timestamp()) * 10**9
            assert row["mac"] == mac_number(said["Calling_Station_Id"][0])
            assert row["ap_mac"] == mac_number(place)
            assert texts.all()[row["ssid"]] == ssid
            assert texts.all()[row["user"]] == said["User_Name"][0]
            assert texts.all()[row["session"]] == said["Acct_Session_Id"][0]
            assert texts.all()[row["class"]] == classes
            assert (int(row["bytes_out"]), int(row["bytes_in"])) == (
                count(said, "Input"),
                count(said, "Output"),
            )
            assert row["evidence"] == Evidence.RADIUS
            assert row["released"] == (said["Acct_Status_Type"][0] == "2")
        assert not told.refused
        assert not told.noted


def test_another_secret_gets_no_answer_and_tells_nothing() -> None:
    exchange = ask(
        RadiusDecoder(Texts(), SECRET.encode()), requests()[:1], secret="another", options=["-r", "1"]
    )
    assert exchange.answered == 0
    assert "No reply" in exchange.said
    assert [dict(told.refused) for told in exchange.told] == [{Refusal.BAD_SIGNATURE: 1}]
    assert len(exchange.claims()) == 0


def test_a_source_without_a_secret_proves_nothing() -> None:
    exchange = ask(RadiusDecoder(Texts(), b""), requests()[:1], options=["-r", "1"])
    assert exchange.answered == 0
    assert exchange.told[0].refused == {Refusal.BAD_SIGNATURE: 1}


def test_what_is_sent_again_is_answered_again_and_told_once() -> None:
    exchange = ask(RadiusDecoder(Texts(), SECRET.encode()), requests()[:1], deaf=1)
    assert exchange.answered == 1
    assert len(exchange.datagrams) == 2
    assert exchange.datagrams[0] == exchange.datagrams[1]
    assert len(exchange.claims()) == 1
    assert exchange.told[1].noted == {Note.REPEATED: 1}


def test_a_status_server_is_answered_and_tells_nothing() -> None:
    exchange = ask(
        RadiusDecoder(Texts(), SECRET.encode()), ["Message-Authenticator = 0x00"], command="status"
    )
    assert exchange.answered == 1
    assert exchange.told[0].refused == {Refusal.NOTHING_TO_KEEP: 1}
