"""Rows in memory: numpy dtypes of what is stated, of claims, of traffic records and of bindings.

Every time is UTC nanoseconds. -1 is "the source does not say" for ports and VLANs, 0 for MACs, counters,
instants and everything about NAT. Addresses are halves as in `model.addresses`. `source` is the number of
the capture or feed in the recorder's own list of names (see `vault`), never shared between runs; texts
(SSID, user, session, class) are numbers of its `model.texts.Texts`, 0 none.
"""

import numpy as np

TRAFFIC = np.dtype(
    [
        ("first_seen", np.int64),
        ("last_seen", np.int64),
        ("client_ip_hi", np.uint64),
        ("client_ip_lo", np.uint64),
        ("peer_ip_hi", np.uint64),
        ("peer_ip_lo", np.uint64),
        ("client_mac", np.uint64),
        ("peer_mac", np.uint64),
        ("ap_mac", np.uint64),
        ("packets_out", np.uint64),
        ("bytes_out", np.uint64),
        ("packets_in", np.uint64),
        ("bytes_in", np.uint64),
        ("client_port", np.int32),
        ("peer_port", np.int32),
        ("vlan", np.int16),
        ("protocol", np.uint8),
        ("end_reason", np.uint8),  # 0 while the connection is still open: only ever so in a journal
        ("behind_router", np.bool_),
        ("source", np.uint16),
    ]
)
"""A connection or a part of one. `bytes_*` are IP octets, headers included (IPFIX octetDeltaCount).

`behind_router`: the client's packets had been forwarded before they were seen, so `client_mac` is that of
the router, not the client's. What no frame on a wire says is in FED_TRAFFIC.
"""

_NAT = [("nat_ip_hi", np.uint64), ("nat_ip_lo", np.uint64), ("nat_port", np.uint16)]

FED_TRAFFIC = np.dtype(
    [
        *((name, TRAFFIC[name]) for name in TRAFFIC.names or ()),
        *_NAT,  # the client's address and port after translation
        ("received", np.int64),
        ("by_receipt", np.bool_),
    ]
)
"""A connection, or a part of one, as a feed tells it.

`received` is when its last message reached the box. `by_receipt`: the device's clock could not be believed,
so `first_seen` and `last_seen` are counted back from `received`.
"""

STATED = np.dtype(
    [
        ("first", np.int64),
        ("last", np.int64),
        ("received", np.int64),
        ("src_ip_hi", np.uint64),
        ("src_ip_lo", np.uint64),
        ("dst_ip_hi", np.uint64),
        ("dst_ip_lo", np.uint64),
        ("nat_src_ip_hi", np.uint64),
        ("nat_src_ip_lo", np.uint64),
        ("nat_dst_ip_hi", np.uint64),
        ("nat_dst_ip_lo", np.uint64),
        ("packets", np.uint64),
        ("octets", np.uint64),
        ("packets_back", np.uint64),
        ("octets_back", np.uint64),
        ("src_mac", np.uint64),
        ("dst_mac", np.uint64),
        ("ap_mac", np.uint64),
        ("sampling", np.uint32),  # one packet in so many was looked at; 0 or 1: every one
        ("ssid", np.uint32),
        ("user", np.uint32),
        ("src_port", np.int32),
        ("dst_port", np.int32),
        ("nat_src_port", np.uint16),
        ("nat_dst_port", np.uint16),
        ("vlan", np.int16),
        ("protocol", np.uint8),
        ("end_reason", np.uint8),  # EndReason; 0: the device does not say
        ("biflow", np.bool_),  # src is the initiator and the counters back are stated (RFC 5103)
        ("by_receipt", np.bool_),
    ]
)
"""A flow as a device states it, before anybody asks which side is the client: what flow feeds decode to.

A uniflow unless `biflow`. MACs are those of the two ends as far as the device names stations, never of its
own interfaces. `nat_src_*` are source address and port after translation, `nat_dst_*` the destination's.
"""

_SAID = [
    ("bytes_out", np.uint64),  # what the session has carried so far, as accounting states it
    ("bytes_in", np.uint64),
    ("ssid", np.uint32),
    ("user", np.uint32),
    ("session", np.uint32),
    ("class", np.uint32),
]
"""What only feeds say of who holds an address."""

CLAIM = np.dtype(
    [
        ("seen", np.int64),
        # the end a lease states; of a flow, when it was last seen; 0 where the evidence states none
        ("until", np.int64),
        ("ip_hi", np.uint64),
        ("ip_lo", np.uint64),
        ("mac", np.uint64),
        ("ap_mac", np.uint64),
        ("vlan", np.int16),
        ("evidence", np.uint8),
        ("released", np.bool_),  # the holder gives the address back at `seen`
        *_SAID,
    ]
)
"""One statement that a MAC holds an address, or (address all zero) that it is with an access point.

Returned by the decoders of ARP, ND and DHCP on the wire, and by those of feeds, which may know more.
"""

TRANSLATION = np.dtype(
    [
        ("seen", np.int64),
        ("until", np.int64),  # where one message states a whole period; else 0
        ("ip_hi", np.uint64),
        ("ip_lo", np.uint64),
        ("nat_ip_hi", np.uint64),
        ("nat_ip_lo", np.uint64),
        ("peer_ip_hi", np.uint64),
        ("peer_ip_lo", np.uint64),
        ("port", np.uint16),
        ("nat_port", np.uint16),
        ("nat_port_last", np.uint16),  # of a block of ports (RFC 7659, RFC 8158); else as `nat_port`
        ("peer_port", np.uint16),
        ("vlan", np.int16),
        ("protocol", np.uint8),  # 0: any
        ("released", np.bool_),  # the translation ended at `seen`
    ]
)
"""One statement that a gateway translates an inside address and port to an outside one (RFC 8158)."""

BINDING = np.dtype(
    [
        ("from", np.int64),
        ("until", np.int64),
        ("ip_hi", np.uint64),
        ("ip_lo", np.uint64),
        ("mac", np.uint64),
        ("ap_mac", np.uint64),
        ("vlan", np.int16),
        ("evidence", np.uint8),
        ("end_reason", np.uint8),  # EndReason; 0 while open: only ever so in a journal
        ("source", np.uint16),
        *_SAID,
        *_NAT,
        ("nat_port_last", np.uint16),
        ("port", np.uint16),
        ("peer_ip_hi", np.uint64),
        ("peer_ip_lo", np.uint64),
        ("peer_port", np.uint16),
        ("protocol", np.uint8),
    ]
)
"""Who held an address, from when until when, on which evidence.

With an address of all zero: which access point a MAC was with. With evidence NAT: to which outside address
and ports (`nat_port` to `nat_port_last`) an inside address and port were translated, to reach which peer.
"""
