"""The tables that are shipped, and those a box may carry: every mistake is told with file, line and key."""

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from appliance.classify.categories import Category, OsFamily
from appliance.classify.tables import parse_domains, parse_fingerprints, parse_ports
from appliance.model.errors import HomeError
from appliance.services.recording.tables import load
from tests.classify.reading import ROOT, TABLES

SHIPPED = ROOT / "appliance" / "classify"
HEAD = '[[group]]\nsource = "somewhere"\nread = 2026-11-22\n'
VIDEO = 'category = "video"\nsuffixes = []'


def test_what_is_shipped_covers_every_category_and_family() -> None:
    by_port = (
        set(TABLES.ports.tcp.tolist()) | set(TABLES.ports.udp.tolist()) | set(TABLES.ports.protocols.tolist())
    )
    assert set(TABLES.domains.values()) | by_port >= set(Category)
    assert set(TABLES.fingerprints.values()) == set(OsFamily) - {OsFamily.OTHER}
    assert len(TABLES.domains) > 400


@pytest.mark.parametrize("name", ["domains.toml", "ports.toml", "fingerprints.toml"])
def test_every_group_says_where_its_facts_were_seen_or_that_they_were_not(name: str) -> None:
    for group in tomllib.loads((SHIPPED / name).read_text())["group"]:
        if "basis" in group:
            assert group["basis"].startswith("general knowledge: ")
        else:
            assert group["source"].startswith("https://")
            assert date(2026, 11, 1) <= group["read"] <= datetime.now(UTC).date()


@pytest.mark.parametrize(
    "shared",
    ["akamaized.net", "akamaihd.net", "cloudfront.net", "fastly.net", "azureedge.net", "s3.amazonaws.com",
     "amazonaws.com", "googleapis.com", "gstatic.com", "googleusercontent.com", "apple.com", "microsoft.com",
     "google.com", "cloudflare.com", "edgesuite.net", "facebook.net"],
)  # fmt: skip
def test_names_that_serve_everything_have_no_category(shared: str) -> None:
    assert shared not in TABLES.domains


def test_facts_without_a_place_where_they_stand_need_a_basis() -> None:
    text = '[[group]]\nbasis = "it is said"\ncategory = "video"\nsuffixes = ["a.com"]'
    assert parse_domains(text, "domains.toml") == {"a.com": Category.VIDEO}
    text = HEAD + 'copy = "elsewhere"\ncategory = "video"\nsuffixes = ["a.com"]'
    assert parse_domains(text, "domains.toml") == {"a.com": Category.VIDEO}


@pytest.mark.skipif(not Path("/etc/services").exists(), reason="no /etc/services (package netbase)")
def test_ports_mean_what_the_system_has_them_registered_for() -> None:
    """/etc/services is Debian's copy of IANA's registry."""
    expected = {
        "WEB": "http", "TLS_WEB": "https", "NAME_SERVICE": "domain domain-s mdns", "OTHER": "ntp",
        "MAIL": "smtp submission imap2 imaps pop3 pop3s", "REMOTE_ACCESS": "ssh telnet ms-wbt-server",
        "FILE_TRANSFER": "ftp ftps rsync microsoft-ds nfs tftp", "VPN": "openvpn isakmp ipsec-nat-t",
        "CALLS": "sip sip-tls", "MESSAGING": "xmpp-client ircs-u",
    }  # fmt: skip
    expected = {name: category for category, names in expected.items() for name in names.split()}
    registered = re.findall(r"^(\S+)\s+(\d+)/(tcp|udp)", Path("/etc/services").read_text(), re.MULTILINE)
    seen = set()
    for name, port, layer in registered:
        if name in expected and (number := getattr(TABLES.ports, layer)[int(port)]):
            assert Category(number).name == expected[name], name
            seen.add(name)
    assert seen == set(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "x: only"),
        ("[group]\n", "group: only"),
        ("a = [", "is not valid TOML"),
        ("[[group]]\n" + VIDEO, "line 1: source: is missing, and so is basis"),
        ('[[group]]\nsource = "x"\n' + VIDEO, "line 1: read: is missing, and so is basis"),
        ('[[group]]\ncopy = "x"\n' + VIDEO, "line 1: source: is missing, and so is basis"),
        ('[[group]]\nbasis = " "\n' + VIDEO, "line 2: basis: says nothing"),
        (HEAD + 'basis = "x"\n' + VIDEO, "line 4: basis: source stands beside it"),
        ('[[group]]\ncopy = "x"\nbasis = "x"\n' + VIDEO, "line 3: basis: copy stands beside it"),
        (HEAD + 'category = "films"\nsuffixes = []', "line 4: category: 'films' is none of other, mail"),
        (HEAD + 'category = "video"\nsuffixes = ["A.com"]', "line 5: suffixes: 'A.com' is no domain"),
        (HEAD + 'category = "video"\nsuffixes = ["*.a.com"]', "line 5: suffixes: '*.a.com' is no domain"),
        (
            HEAD + 'category = "video"\nsuffixes = ["a.com", "a.com"]',
            "line 5: suffixes: 'a.com' stands there twice",
        ),
        (HEAD + 'category = "video"\nsuffixes = "a.com"', "line 5: suffixes: must be a list"),
        (HEAD + 'category = "video"\nsuffixes = []\nmore = 1', "line 6: more: there is no such key"),
        (
            HEAD + 'category = "video"\nsuffixes = []\n' + HEAD + "category = 5\nsuffixes = []",
            "line 9: category: must",
        ),
        ('[[group]]\nsource = "x"\nread = "soon"\n' + VIDEO, "line 3: read: must be a date"),
    ],
)
def test_a_mistake_in_the_domains_is_told(text: str, told: str) -> None:
    with pytest.raises(HomeError) as caught:
        parse_domains(text, "domains.toml")
    assert str(caught.value).startswith("domains.toml")
    assert told in str(caught.value)


@pytest.mark.parametrize("value", ['"1-"', "65536", "-1", '"9-3"', '"x"', "true", "1.5"])
def test_a_mistake_in_the_ports_is_told(value: str) -> None:
    with pytest.raises(HomeError, match=r"line 5: tcp: .* is no number 0 to 65535 and no range of them"):
        parse_ports(HEAD + f'category = "video"\ntcp = [{value}]', "ports.toml")


def test_a_port_that_is_given_twice_is_told() -> None:
    with pytest.raises(HomeError, match="stands there twice"):
        parse_ports(HEAD + 'category = "video"\ntcp = [5, "3-7"]', "ports.toml")


@pytest.mark.parametrize("value", ['"1,300"', '"1,x"', '""', "7", '"1,-2"'])
def test_a_mistake_in_the_fingerprints_is_told(value: str) -> None:
    with pytest.raises(HomeError, match=r"line 5: parameters: .* is no list of numbers 0 to 255"):
        parse_fingerprints(HEAD + f'family = "linux"\nparameters = [{value}]', "fingerprints.toml")


def test_a_box_may_carry_tables_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "classify"
    folder.mkdir()
    (folder / "domains.toml").write_text(HEAD + 'category = "mail"\nsuffixes = ["example.org"]')
    tables = load(tmp_path)
    assert tables.domains == {"example.org": Category.MAIL}
    assert tables.fingerprints == TABLES.fingerprints
    (folder / "ports.toml").write_text('[[group]]\ncategory = "mail"')
    with pytest.raises(HomeError, match=rf"{folder / 'ports.toml'} line 1: source: is missing"):
        load(tmp_path)
