"""What names what was visited is refused or cut out, whoever sends it; and what does not, is not."""

import pytest

from appliance.feeds.syslog.content import Content, stripped
from appliance.model.instants import from_iso
from appliance.model.texts import Texts
from tests.feeds.syslog.reading import stored, tell

NOW = from_iso("2026-11-22T03:00:00Z")
SECRETS = ("visited", "example.com", "secret-phone")

# As the programs' own documentation shows them, with a name that must not get through.
WHOLE = [
    "dnsmasq[1]: query[A] www.visited.org from 192.168.1.5",
    "dnsmasq[1]: 7 192.168.1.5/5353 query[AAAA] www.visited.org from 192.168.1.5",
    "dnsmasq[1]: forwarded www.visited.org to 1.1.1.1",
    "dnsmasq[1]: reply www.visited.org is 192.0.2.1",
    "dnsmasq[1]: cached www.visited.org is <CNAME>",
    "dnsmasq[1]: config www.visited.org is NXDOMAIN",
    "dnsmasq[1]: /etc/hosts visited is 192.168.1.9",
    "dnsmasq[1]: possible DNS-rebind attack detected: www.visited.org",
    "unbound: [12:0] info: 192.168.1.5 www.visited.org. A IN",
    "[12:0] info: 192.168.1.5 www.visited.org. A IN",
    "named[9]: client @0x7f 192.168.1.5#53 (www.visited.org): query: www.visited.org IN A +E(0)K (10.0.0.1)",
    "client @0x7f 192.168.1.5#53 (www.visited.org): query: www.visited.org IN A +E(0)K (10.0.0.1)",
    "pdns_recursor[1]: 1 [1/1] question for 'www.visited.org|A' from 192.168.1.5",
    'coredns: [INFO] 192.168.1.5:4 - 1 "A IN www.visited.org. udp 41 false 512" NOERROR',
    "squid[1]: 1700000000.123 456 10.0.0.1 TCP_MISS/200 12 GET http://visited.org/ - HIER_DIRECT/192.0.2.1 -",
    "1700000000.123 456 10.0.0.1 TCP_TUNNEL/200 12 CONNECT visited.org:443 - HIER_DIRECT/192.0.2.1 -",
    'nginx: 10.0.0.1 - - [22/Nov/2026:03:00:00 +0000] "GET /visited HTTP/1.1" 200 1 "-" "Mozilla/5.0"',
    'x: 10.0.0.1 - - [22/Nov/2026:03:00:00 +0000] "GET /visited HTTP/1.1" 200 1 "-" "-"',
    "1 1374986400.038687615 MX84 urls src=10.0.0.1:4 dst=192.0.2.1:80 request: GET https://visited",
    "web-proxy,account 192.168.2.4 GET http://www.visited.org/ action=allow cache=MISS",
    "dns,packet question: www.visited.org:A:IN",
    "dns query from 192.168.1.5: #1 www.visited.org. A",
    "%ASA-5-304001: 10.0.0.1 Accessed URL 192.0.2.1:http://visited.org/",
    'suricata[1]: {"event_type":"tls","src_ip":"10.0.0.1","tls":{"sni":"visited.org"}}',
    '{"timestamp":"x","event_type":"dns","src_ip":"10.0.0.1","dns":{"rrname":"visited.org"}}',
]
FIELDS = [
    'date=2026-11-22 time=03:00:00 type="traffic" srcip=10.0.0.1 hostname="visited.org" dstip=192.0.2.1',
    "a src=10.0.0.1 url=visited.org/x?y dst=192.0.2.1",
    "a src=10.0.0.1 dstname=visited.org, sni='visited.org' dst=192.0.2.1",
    'a {"mac":"00:00:5e:00:53:01","query_1":"visited.org","query_2": "www.visited.org", "x":1}',
    'a http_user_agent="visited \\" visited" b=1',
    'CEF:0|V|P|1|2|n|3|src=10.0.0.1 dhost=visited.org request=visited.org/x requestMethod=GET',
    'a scertcname="*.visited.org" b=1',
]  # fmt: skip
NEITHER = [
    (
        "kernel",
        "[1.2] DROP IN ANY IN=br-lan OUT=eth1 MAC= SRC=10.0.0.1 DST=192.0.2.1 LEN=60 PROTO=TCP SPT=1 DPT=2 ",
    ),
    ("hostapd", "wlan0: STA a4:bb:cc:dd:ee:ff IEEE 802.11: associated (aid 1)"),
    ("dnsmasq", "using nameserver 1.1.1.1#53"),
    ("dnsmasq", "started, version 2.90 cachesize 150"),
    ("dnsmasq-dhcp", "DHCPACK(br-lan) 192.168.1.5 a4:bb:cc:dd:ee:ff my-host"),
    ("", 'logid="0000000013" type="traffic" devname="fw" policyname="host to net" duration=1 service="HTTP"'),
    ("conntrack", "[NEW] tcp 6 120 SYN_SENT src=10.0.0.2 dst=192.0.2.1 sport=4 dport=80 [UNREPLIED]"),
]


@pytest.mark.parametrize("line", WHOLE)
def test_lines_refused_whole(line: str) -> None:
    texts = Texts()
    told = tell(
        [f"<30>Nov 22 03:00:00 gw {line}" if line[0] != "1" else line, f"<30>{line}"], NOW, texts=texts
    )
    assert dict(told.refused) == {"content": 2}
    assert not len(told.flows) + len(told.claims) + len(told.translations) + len(texts)


@pytest.mark.parametrize("text", FIELDS)
def test_fields_cut_out(text: str) -> None:
    left, content = stripped("", text)
    assert content is Content.FIELDS
    assert "visited" not in left
    for kept in ("10.0.0.1", "192.0.2.1", "00:00:5e:00:53:01", "b=1"):
        assert (kept in left) == (kept in text)


@pytest.mark.parametrize(("program", "text"), NEITHER)
def test_lines_left_alone(program: str, text: str) -> None:
    assert stripped(program, text) == (text, Content.NOTHING)


def test_nothing_that_was_visited_reaches_a_row() -> None:
    """Every line above, and names in places where a grammar reads beside them."""
    lines = [f"<30>Nov 22 03:00:00 gw {line}" for line in WHOLE + FIELDS]
    lines += [
        "dnsmasq-dhcp[1]: DHCPACK(br-lan) 192.168.1.5 a4:bb:cc:dd:ee:ff secret-phone.example.com",
        "dhcpd: DHCPACK on 10.0.0.5 to a4:bb:cc:dd:ee:ff (secret-phone) via eth0",
        "kernel: visited.org IN=a OUT=b MAC= SRC=10.0.0.1 DST=192.0.2.1 LEN=60 PROTO=TCP SPT=1 DPT=2 ",
        "hostapd: wlan0: STA a4:bb:cc:dd:ee:ff IEEE 802.1X: STA identity 'host/visited.example.com'",
        "hostapd: wlan0: STA a4:bb:cc:dd:ee:ff IEEE 802.1X: STA identity 'http://visited.example.com'",
    ]
    texts = Texts()
    told = tell(lines, NOW, texts=texts)
    assert len(told.claims) == 2
    assert len(told.flows) == 1
    for secret in SECRETS:
        assert secret.encode() not in stored(told, texts)


@pytest.mark.parametrize(
    "flood",
    ["url=" * 4000, "GET " * 4000, '"url"' + " " * 16_000, "query " * 2600, ".a" * 8000 + " IN", "a" * 16_000,
     'host="' + "\\" * 16_000, "IN= OUT= " * 1800, "Reply NA: " * 1600, "[NEW] tcp " * 1600, "1" * 16_000,
     "IN= OUT= SRC=1.1.1.1 DST=1.1.1.1 LEN=1 " * 400, "DHCP4_LEASE_ALLOC : " * 800, "Address: " * 1800,
     "STA a4:bb:cc:dd:ee:ff WPA: " * 600, "[DESTROY] ORIG: SRC=1.1.1.1 DST=1.1.1.1 PROTO=TCP PKTS=1 " * 250],
)  # fmt: skip
def test_no_line_takes_long(flood: str) -> None:
    """Patterns read a line once: a hundred lines of 16 KiB that were made to hurt are done in a moment."""
    told = tell([f"<30>Nov 22 03:00:00 gw x: {flood}"[:16_384]] * 20, NOW)
    assert sum(told.refused.values()) == 20
