"""Which information elements are read, what each says, and which is believed where several say the same.

Numbers are those of IANA's registry (RFC 7012) with enterprise 0, of RFC 5103's reverse enterprise, and, in
NetFlow v9, of those vendors who number their own fields above 32767 there.
"""

Element = tuple[int, int]
"""Enterprise number (0: IANA) and element number."""

IANA = 0
REVERSE = 29305  # RFC 5103 section 6.1: the same element, of the packets back
IXIA = 3054
SCOPE = -1  # scope fields of NetFlow v9 have numbers of their own (RFC 3954 section 6.1)
VARIABLE = 65535  # RFC 7011 section 7

INTERFACE_SCOPE = (SCOPE, 2)
TEMPLATE_SCOPE = (SCOPE, 5)


def _iana(*numbers: int) -> tuple[Element, ...]:
    return tuple((IANA, number) for number in numbers)


def _back(*numbers: int) -> tuple[Element, ...]:
    return tuple((REVERSE, number) for number in numbers)


NUMBERS: dict[str, tuple[Element, ...]] = {
    "octets": _iana(1, 231, 352, 23),
    "packets": _iana(2, 298, 24),
    "octets_back": (*_back(1), *_iana(232), *_back(352), (IXIA, 176)),
    "packets_back": (*_back(2), *_iana(299), (IXIA, 177)),
    "octets_total": _iana(85),
    "packets_total": _iana(86),
    "octets_back_total": _back(85),
    "packets_back_total": _back(86),
    "src_port": _iana(7, 180, 182),
    "dst_port": _iana(11, 181, 183),
    "protocol": _iana(4),
    "end_reason": _iana(136),
    "direction": _iana(61),
    "vlan": _iana(58, 243),
    "interface": (*_iana(10), INTERFACE_SCOPE),
    "nat_src_port": _iana(227, 40003),
    "nat_dst_port": _iana(228, 40004),
    "nat_event": _iana(230),
    "realm": _iana(229),
    "block_first": _iana(361),
    "block_last": _iana(362),
    "block_step": _iana(363),
    "block_size": _iana(364),
    "firewall_event": _iana(233, 40005),
    "start_ms": _iana(152),
    "end_ms": _iana(153),
    "seen_ms": _iana(323, 258),
    "start_us": _iana(154),
    "end_us": _iana(155),
    "seen_us": _iana(324),
    "start_ns": _iana(156),
    "end_ns": _iana(157),
    "seen_ns": _iana(325),
    "start_delta": _iana(158),
    "end_delta": _iana(159),
    "start_uptime": _iana(22),
    "end_uptime": _iana(21),
    "start_s": _iana(150),
    "end_s": _iana(151),
    "seen_s": _iana(322),
    "start_back_ms": _back(152),
    "end_back_ms": _back(153),
    "start_back_us": _back(154),
    "end_back_us": _back(155),
    "start_back_ns": _back(156),
    "end_back_ns": _back(157),
    "start_back_delta": _back(158),
    "end_back_delta": _back(159),
    "start_back_uptime": _back(22),
    "end_back_uptime": _back(21),
    "start_back_s": _back(150),
    "end_back_s": _back(151),
    "duration_ms": _iana(161),
    "duration_us": _iana(162),
    "init_ms": _iana(160),
    "sampler": _iana(302, 48),
    "interval": _iana(34, 50),
    "chosen": _iana(305, 309),  # so many packets are looked at ...
    "passed": _iana(306),  # ... and then so many are not
    "population": _iana(310),
    "template": (*_iana(145), TEMPLATE_SCOPE),
}
"""What is a number, of one to eight octets (RFC 7011 section 6.2), to its elements in order of preference.

Totals count where the counters since the last record are all zero: some (Barracuda) fill in only those.
`totals.Totals` makes counters since the last record of them.
"""

V4: dict[str, tuple[Element, ...]] = {
    "src_v4": _iana(8),
    "dst_v4": _iana(12),
    "nat_src_v4": _iana(225, 40001),
    "nat_dst_v4": _iana(226, 40002),
    "station_v4": _iana(366),
}

V6: dict[str, tuple[Element, ...]] = {
    "src_v6": _iana(27),
    "dst_v6": _iana(28),
    "nat_src_v6": _iana(281),
    "nat_dst_v6": _iana(282),
}

MACS: dict[str, tuple[Element, ...]] = {
    "src_mac": _iana(56),
    "dst_mac": _iana(57),
    "dst_mac_before": _iana(80),
    "station_mac": _iana(365),
    "ap_mac": _iana(367),
}
"""81 (postSourceMacAddress) is the device's own wherever it differs from 56, and so is not read. 80 is the
device's own where it routes: see `surroundings.Senders`."""

TEXTS: dict[str, tuple[Element, ...]] = {
    "ssid": _iana(147),
    "user": (*_iana(371, 40000, 56702), (5951, 205), (637, 93)),
}
"""40000 is Cisco ASA's user name, 56702 Palo Alto's; NetScaler's and, in translations, Nokia's have
enterprises."""

OUT_COUNTERS = {"octets_out": (IANA, 23), "packets_out": (IANA, 24)}
"""OUT_BYTES and OUT_PKTS in a v9 record that has IN_BYTES too: the way back, or what leaves in the same
direction, as it is in IPFIX. Which of them, `surroundings.Outgoing` tells."""

CONTENT: frozenset[Element] = frozenset(
    (enterprise, number)
    for enterprise, numbers in {
        # Sections of packets and frames; host, target and user agent of HTTP; from 57594 on nProbe's, in v9
        IANA: (
            313,
            314,
            315,
            317,
            460,
            461,
            468,
            57594,
            57652,
            57654,
            57655,
            57657,
            57659,
            57660,
            57677,
            57823,
            57833,
            57841,
            57870,
            57932,
            57933,
            57934,
        ),
        35632: (122, 180, 182, 183, 185, 187, 188, 205, 351, 361, 369, 398, 460, 461, 462),  # nProbe in IPFIX
        9: (9357, 12235),  # Cisco: URI and host of HTTP
        3054: (183, 184, 189, 201, 227, *range(238, 253), 273, 277),  # Ixia: HTTP, DNS, TLS
        5951: (130, 131, 140, 142, 188, 189, 210, 267),  # NetScaler: HTTP
        6871: (18, *range(110, 130), 172, 173, 174, 175, 179, 186),  # YAF: payload; HTTP, DNS, TLS
        26866: (1, *range(101, 113), 204),  # Gigamon: HTTP, TLS, DNS
        47729: (100, *range(108, 112)),  # Niagara Networks: TLS
    }.items()
    for number in numbers
)
"""Fields that carry what was visited. They are passed over like others, and that they came is noted."""

_PASSED_OVER = range(1, 528)


def is_known(element: Element) -> bool:
    """Whether a field that is not read is at least one whose meaning is known not to be wanted."""
    enterprise, number = element
    if element in CONTENT or enterprise in (REVERSE, SCOPE):
        return True
    return enterprise == IANA and number in _PASSED_OVER
