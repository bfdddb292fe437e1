"""Names found in captures: what tshark finds, and no other; addresses of a name have its category."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.classify.categories import Category
from appliance.model.addresses import ip_halves
from tests.classify.reading import ROOT, TABLES, read, row_of

CAPTURES = Path(__file__).parent / "captures"
WITH_NAMES = ("tls_2_reasms.pcapng", "tls_torrent.pcapng", "tls_ech.pcapng", "http.pcapng")
WITH_ANSWERS = ("dns_ambiguous_names.pcap", "dns-google-nsid.pcapng")
PUBLISHED = {  # by nDPI; Debian 12's tshark does not put a ClientHello of several packets together
    "quic_crypto_aes_auth_size.pcap": "app-analytics-v2.snapchat.com",
    "quic_frags_different_dcid.pcapng": "cdnjs.cloudflare.com",
}


def fields(capture: Path, wanted: str, *names: str) -> Iterator[list[str]]:
    """What tshark says of the packets wanted."""
    command = ["tshark", "-n", "-r", capture, "-Y", wanted, "-T", "fields"]
    command += [part for name in names for part in ("-e", name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (line.split("\t") for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", WITH_NAMES)
def test_server_names_and_hosts_are_those_that_tshark_finds(name: str) -> None:
    found = read(CAPTURES / name).names
    told = fields(
        CAPTURES / name,
        "tls.handshake.type==1 or http.request",
        "tls.handshake.extensions_server_name",
        "http.host",
    )
    names = {re.sub(r":\d+$", "", text).lower() for line in told for text in line if text}
    assert names
    assert found.heard == {found.hash(text) for text in names}


@pytest.mark.parametrize("name", WITH_ANSWERS)
def test_an_address_has_the_category_of_the_name_that_was_asked_for(name: str) -> None:
    result = read(CAPTURES / name)
    told = list(fields(CAPTURES / name, "dns.flags.response==1 and dns.a", "dns.qry.name", "dns.a"))
    assert {result.names.hash(asked.lower()) for asked, _ in told} == result.names.heard
    latest = {address: asked for asked, addresses in told for address in addresses.split(",")}
    for address, asked in latest.items():
        row = row_of(6, ("192.168.1.2", 40000), (address, 443))
        expected = by_label(asked) or Category.TLS_WEB
        assert result.categories.of(row) == [expected]
        assert result.categories.of(row_of(6, ("192.168.1.2", 40000), (address, 993))) == [Category.MAIL]
    assert len({by_label(asked) for asked, _ in told}) > 1 or "nsid" in name


def by_label(name: str) -> Category | None:
    labels = name.lower().split(".")
    suffixes = (".".join(labels[first:]) for first in range(len(labels)))
    return next((TABLES.domains[suffix] for suffix in suffixes if suffix in TABLES.domains), None)


@pytest.mark.parametrize(("name", "host"), PUBLISHED.items())
def test_a_quic_initial_is_opened(name: str, host: str) -> None:
    assert read(CAPTURES / name).heard(host)


def test_families_of_systems_are_read_from_option_55_only() -> None:
    """The capture's own host names say which machines they are; the families must fit them."""
    capture = ROOT / "tests" / "cases" / "android" / "android.pcap"
    told = {}
    names = (
        "dhcp.hw.mac_addr",
        "dhcp.option.request_list_item",
        "dhcp.option.hostname",
        "dhcp.option.vendor_class_id",
    )
    for mac, asked, host, vendor in fields(capture, "dhcp.type==1 and dhcp.option.request_list_item", *names):
        told[int(mac.split(",")[0].replace(":", ""), 16)] = asked, host + vendor
    found = read(capture).systems
    assert set(found["client_mac"].tolist()) == set(told)
    for row in found:
        asked, machine = told[int(row["client_mac"])]
        expected = TABLES.fingerprints.get(bytes(int(code) for code in asked.split(",")), 1)
        assert row["family"] == expected
        if "android" in machine:
            assert row["family"] == 5
        if "iMac" in machine:
            assert row["family"] == 4
    assert len(told) >= 2


def test_a_phone_and_a_computer_of_one_maker_differ() -> None:
    computer = read(ROOT / "tests" / "cases" / "dhcp-pcapng" / "dhcp-option-108.pcapng").systems
    assert set(computer["family"].tolist()) == {4}
    assert (np.abs(computer["seen"]) > 0).all()


def test_an_ipv6_address_of_an_answer_is_remembered() -> None:
    categories = read(CAPTURES / WITH_ANSWERS[0]).categories
    hi, lo = ip_halves("2001:db8::7")
    halves = np.array([hi], np.uint64), np.array([lo], np.uint64)
    assert categories.of(row_of(6, ("2001:db8::1", 40000), ("2001:db8::7", 443))) == [Category.TLS_WEB]
    categories._addresses.put(categories._keys.addresses(*halves), np.array([Category.VIDEO], np.uint8))
    assert categories.of(row_of(6, ("2001:db8::1", 40000), ("2001:db8::7", 443))) == [Category.VIDEO]
