"""The two Arrow schemas of what is kept, defined here and nowhere else."""

import pyarrow as pa

_INSTANT = pa.timestamp("ns", "UTC")
_MAC = pa.binary(6)
_IP = pa.binary(16)

TRAFFIC_SCHEMA = pa.schema(
    [
        pa.field("first_seen", _INSTANT, nullable=False),
        pa.field("last_seen", _INSTANT, nullable=False),
        pa.field("client_mac", _MAC),
        pa.field("client_ip", _IP, nullable=False),
        pa.field("client_port", pa.uint16()),
        pa.field("peer_mac", _MAC),
        pa.field("peer_ip", _IP, nullable=False),
        pa.field("peer_port", pa.uint16()),
        pa.field("protocol", pa.uint8(), nullable=False),
        pa.field("vlan", pa.uint16()),
        pa.field("ap_mac", _MAC),
        pa.field("behind_router", pa.bool_(), nullable=False),
        pa.field("packets_out", pa.uint64(), nullable=False),
        pa.field("bytes_out", pa.uint64(), nullable=False),
        pa.field("packets_in", pa.uint64(), nullable=False),
        pa.field("bytes_in", pa.uint64(), nullable=False),
        pa.field("nat_ip", _IP),
        pa.field("nat_port", pa.uint16()),
        pa.field("end_reason", pa.uint8()),
        pa.field("received", _INSTANT),
        pa.field("by_receipt", pa.bool_(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""Addresses are network-order bytes, IPv4 mapped into IPv6 (see `model.addresses`)."""

BINDING_SCHEMA = pa.schema(
    [
        pa.field("ip", _IP),
        pa.field("mac", _MAC),
        pa.field("ap_mac", _MAC),
        pa.field("ssid", pa.string()),
        pa.field("user", pa.string()),
        pa.field("session", pa.string()),
        pa.field("class", pa.string()),
        pa.field("from", _INSTANT, nullable=False),
        pa.field("until", _INSTANT, nullable=False),
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("bytes_out", pa.uint64()),
        pa.field("bytes_in", pa.uint64()),
        pa.field("nat_ip", _IP),
        pa.field("nat_port", pa.uint16()),
        pa.field("nat_port_last", pa.uint16()),
        pa.field("port", pa.uint16()),
        pa.field("peer_ip", _IP),
        pa.field("peer_port", pa.uint16()),
        pa.field("protocol", pa.uint8()),
        pa.field("vlan", pa.uint16()),
        pa.field("end_reason", pa.uint8()),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""Without `ip`: which access point a MAC was with. From `nat_ip` to `protocol`: only with evidence `nat`."""
