"""Rows in memory: numpy dtypes of a traffic record, a claim and a binding.

Every time is UTC nanoseconds. -1 is "the source does not say" for ports and VLANs, 0 for MACs, and
all-zero for NAT addresses. Addresses are halves as in `model.addresses`. `source` is the number of the
capture or feed in the recorder's own list of names (see `vault`), never shared between runs.
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
the router, not the client's. `nat_ip` and `nat_port` of the schema are not here: no frame on a wire says
them.
"""

CLAIM = np.dtype(
    [
        ("seen", np.int64),
        ("until", np.int64),  # the end a lease states; 0 where the evidence states none
        ("ip_hi", np.uint64),
        ("ip_lo", np.uint64),
        ("mac", np.uint64),
        ("ap_mac", np.uint64),
        ("vlan", np.int16),
        ("evidence", np.uint8),
        ("released", np.bool_),  # the holder gives the address back at `seen`
    ]
)
"""One statement on the wire that a MAC holds an address: what ARP, ND and DHCP decoders return."""

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
    ]
)
"""Who held an address, from when until when, on which evidence. `ssid` and `user` come with feeds."""
