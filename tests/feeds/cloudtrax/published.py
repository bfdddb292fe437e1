"""Reports as the maker's documentation publishes them, and their signatures as OpenSSL makes them.

The documentation is "CloudTrax Presence Reporting API" (help.cloudtrax.com, article 207985916). The first
report is its sample as programs quote it that were written after it (bjeans/cloudtrax-presence-azure,
`CloudTrax-Presence/run.csx`), the second the sample of another (ravichandra99/cloudtrax, `app.py`).
"""

import json
import subprocess

SECRET = "a shared secret"

FIELDS = ("mac", "count", "min_signal", "max_signal", "avg_signal", "first_seen", "last_seen", "associated")

ALL_PASSING = (
    '{"network_id":221234,"node_mac":"AC:86:74:82:9A:30","version":1,"probe_requests":['
    '{"mac":"00:9a:cd:e3:15:49","count":11,"min_signal":-77,"max_signal":-36,"avg_signal":-55,'
    '"last_seen_signal":-77,"first_seen":1475860695,"last_seen":1475860718,"associated":false},'
    '{"mac":"5c:dc:96:66:24:e3","count":1,"min_signal":-74,"max_signal":-74,"avg_signal":-74,'
    '"last_seen_signal":-74,"first_seen":1475860702,"last_seen":1475860702,"associated":false},'
    '{"mac":"e2:9f:fc:7f:1f:42","count":1,"min_signal":-65,"max_signal":-65,"avg_signal":-65,'
    '"last_seen_signal":-65,"first_seen":1475860714,"last_seen":1475860714,"associated":false}]}'
)
ONE_ASSOCIATED = (
    '{"network_id":179283,"node_mac":"AC:86:74:61:4F:C0","version":1,"probe_requests": ['
    '{"mac":"14:2d:27:29:16:f7","count":26,"min_signal":-74,"max_signal":-64,"avg_signal":-68,'
    '"first_seen":1455845796,"last_seen":1455845819,"associated":false},'
    '{"mac":"48:5a:3f:37:de:f7","count":10,"min_signal":-37,"max_signal":-26,"avg_signal":-30,'
    '"first_seen":1455845791,"last_seen":1455845811,"associated":true},'
    '{"mac":"4e:20:5d:18:d0:ab","count":1,"min_signal":-90,"max_signal":-90,"avg_signal":-90,'
    '"first_seen":1455845809,"last_seen":1455845809,"associated":false},'
    '{"mac":"68:96:7b:c8:8b:e9","count":4,"min_signal":-54,"max_signal":-5,"avg_signal":-27,'
    '"first_seen":1455845817,"last_seen":1455845817,"associated":false},'
    '{"mac":"80:19:34:b8:bc:1c","count":2,"min_signal":-65,"max_signal":-61,"avg_signal":-63,'
    '"first_seen":1455845819,"last_seen":1455845820,"associated":false}]}'
)


def report(*devices: dict[str, object], **changes: object) -> bytes:
    """A report in the published form."""
    return json.dumps(
        {"network_id": 1, "node_mac": "AC:86:74:61:4F:C0", "version": 1, "probe_requests": list(devices)}
        | changes
    ).encode()


def device(mac: str = "48:5a:3f:37:de:f7", **changes: object) -> dict[str, object]:
    values = (mac, 10, -37, -26, -30, 1455845791, 1455845811, True)
    return dict(zip(FIELDS, values, strict=True)) | changes


def signature(body: bytes, secret: str = SECRET) -> str:
    """HMAC-SHA256 in hexadecimal, made by OpenSSL."""
    said = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", secret, "-r"], input=body, capture_output=True, check=True
    )
    return said.stdout.decode().split()[0]
