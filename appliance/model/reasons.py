"""Closed lists: why a flow ended, why a frame gave no record, on which evidence a binding stands."""

from enum import IntEnum, StrEnum


class EndReason(IntEnum):
    """IPFIX flowEndReason (IANA element 136)."""

    IDLE_TIMEOUT = 1
    ACTIVE_TIMEOUT = 2
    END_OF_FLOW = 3
    FORCED_END = 4
    LACK_OF_RESOURCES = 5


class Refusal(StrEnum):
    """Why bytes that were read gave no record. Every one is counted; none is silent."""

    NOT_IP = "not_ip"
    LINK_TYPE = "link_type"
    EMPTY = "empty"
    CUT_SHORT = "cut_short"
    BAD_VERSION = "bad_version"
    BAD_LENGTH = "bad_length"
    BAD_CONTROL = "bad_control"
    TOO_DEEP = "too_deep"  # more tags and labels than are read
    WIFI_ENCRYPTED = "wifi_encrypted"  # 802.11 data that only the station and its AP can read
    WIFI_NO_DATA = "wifi_no_data"  # 802.11 management, control and null frames
    WIFI_FRAGMENT = "wifi_fragment"  # a later piece of an 802.11 frame: its first piece told
    WIFI_REPEATED = "wifi_repeated"  # an 802.11 frame sent again on the air that was heard before
    WIFI_DAMAGED = "wifi_damaged"  # an 802.11 frame that the radio received with a wrong checksum
    TUNNEL_FRAGMENT = "tunnel_fragment"  # a later piece of a tunnel's datagram: its first piece told
    CAPTURE_DAMAGED = "capture_damaged"
    NOT_A_CAPTURE = "not_a_capture"


class Note(StrEnum):
    """What was not as it should be although it gave its record: stated beside the refusals."""

    UNREADABLE_CONTROL = "unreadable_control"  # ND and DHCP kept as packets that said nothing as claims
    TUNNELLED = "tunnelled"  # packets that came out of an IP tunnel, and are recorded in its place
    UNKNOWN_INNER = "unknown_inner"  # tunnels whose inside was not understood: recorded at the outer level
    FRAGMENT_TINY = "fragment_tiny"  # cut so that no filter sees its ports or flags (RFC 1858)
    FRAGMENT_OVERLAPPING = "fragment_overlapping"  # its bytes lie over another's (RFC 3128, RFC 5722)
    FRAGMENT_WITHOUT_FIRST = "fragment_without_first"  # its ports are not known
    FRAGMENT_BEYOND_END = "fragment_beyond_end"  # its datagram would be longer than any can be
    FRAGMENT_UNFINISHED = "fragment_unfinished"  # the last piece of its datagram was not seen


class Evidence(IntEnum):
    """What a binding stands on; a higher number outranks a lower one."""

    ARP = 10
    ND = 11
    DHCP = 20
    DHCPV6 = 21


EVIDENCE_NAMES = {evidence: evidence.name.lower() for evidence in Evidence}
