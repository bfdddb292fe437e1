"""Accounting of real controllers: signed anew, since nobody knows their secret, and judged by tshark."""

import datetime as dt
import subprocess
from pathlib import Path

from appliance.feeds.radius.decoder import RadiusDecoder
from appliance.model.addresses import ip_text, mac_number
from appliance.model.instants import NS
from appliance.model.reasons import Refusal
from appliance.model.texts import Texts
from tests.feeds.radius.clients import SECRET, dissect, messages
from tests.feeds.radius.test_hostile import signed

CAPTURE = Path(__file__).parent / "captured" / "accounting.pcapng"


def payloads() -> list[bytes]:
    arguments = ["tshark", "-n", "-r", str(CAPTURE), "-T", "fields", "-e", "udp.payload"]
    said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    return [bytes.fromhex(line) for line in said.split()]


def whole(said: dict[str, list[str]]) -> bool:
    """Whether tshark could read it to its end, and it says what it is of."""
    return "_ws_malformed" not in said and "_ws_expert" not in said and "Acct_Status_Type" in said


def test_without_their_secret_they_tell_nothing() -> None:
    told = RadiusDecoder(Texts(), SECRET.encode()).decode(messages(payloads(), 1_528_996_700 * NS))
    assert set(told.answers) == {b""}
    assert not len(told.claims)
    assert set(told.refused) <= {Refusal.BAD_SIGNATURE, Refusal.BAD_MESSAGE}
    assert sum(told.refused.values()) == len(payloads())


def test_signed_anew_they_say_what_tshark_reads() -> None:
    texts, read = Texts(), 0
    for payload, said in zip(payloads(), dissect(CAPTURE), strict=True):
        decoder = RadiusDecoder(texts, SECRET.encode())
        told = decoder.decode(messages([signed(payload)], 1_528_996_700 * NS))
        if not whole(said):
            assert told.refused == {Refusal.BAD_MESSAGE: 1}
            continue
        read += 1
        instant = dt.datetime.fromisoformat(said["Event_Timestamp"][0].replace(".000000000Z", "+00:00"))
        place, _, ssid = said.get("Called_Station_Id", [""])[0].partition(":")
        last = told.claims[told.claims["seen"] == int(instant.timestamp()) * NS]
        stated = {ip_text(int(row["ip_hi"]), int(row["ip_lo"])) for row in last}
        assert stated >= set(said["Framed-IP-Address"])
        for row in last:
            assert row["mac"] == mac_number(said["Calling_Station_Id"][0])
            assert row["ap_mac"] == (mac_number(place) if place else 0)
            assert texts.all()[row["ssid"]] == ssid
            # What cannot be printed is kept as an escape.
            assert texts.all()[row["session"]] == said["Acct_Session_Id"][0].replace("\x16", "\\x16")
            assert texts.all()[row["user"]] == said["User_Name"][0]
            assert texts.all()[row["class"]] == ",".join(said.get("Class", [])).replace(":", "")
            assert row["bytes_out"] == int(said.get("Acct_Input_Octets", ["0"])[0])
            assert row["bytes_in"] == int(said.get("Acct_Output_Octets", ["0"])[0])
            assert row["released"] == (said["Acct_Status_Type"][0] == "2")
    assert read == 2
