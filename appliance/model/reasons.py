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
    # Of feeds:
    BAD_MESSAGE = "bad_message"  # not of the form that its protocol prescribes
    BAD_TEMPLATE = "bad_template"  # a template that cannot be meant, or one too many
    TOO_MANY = "too_many"  # messages of one sender in more streams than a device has
    NO_TEMPLATE = "no_template"  # sets of flow records whose template never came
    NO_ADDRESSES = "no_addresses"  # a flow record that does not say between whom
    SAMPLED = "sampled"  # counted in statistics only: no evidence
    BAD_SIGNATURE = "bad_signature"  # its authenticator or signature is wrong, or it has none
    DEFECT = "defect"  # our own decoder failed on it: to be mended
    BAD_CERTIFICATE = "bad_certificate"  # without the certificate that its source must show over TLS
    CONTENT = "content"  # a message that names what was visited: refused whole
    UNDATED = "undated"  # a line without an instant, out of a file: nobody knows when it was
    NOT_UNDERSTOOD = "not_understood"  # a line that no grammar knows
    NOTHING_TO_KEEP = "nothing_to_keep"  # understood, and says nothing that is to be kept
    TOO_BIG = "too_big"  # a request larger than any that is meant: refused unread
    COMPRESSED = "compressed"  # a request whose content is compressed: refused unopened
    NOT_FOR_US = "not_for_us"  # a request for another path or with another method than ours
    NOT_ASSOCIATED = "not_associated"  # a device that was near an access point and not with it
    NOT_A_FEED = "not_a_feed"  # a file that holds nothing of the kind it was given as


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
    TRAFFIC_STOPPED = "traffic_stopped"  # rows not kept: their basis has lapsed, and the site stops then
    SOURCE_STOPPED = "source_stopped"  # the same of bindings
    # Of feeds:
    DEVICE_CLOCK = "device_clock"  # the device's clock cannot be believed: recorded at the time of receipt
    TEMPLATE_CHANGED = "template_changed"  # a template was defined anew while it was in use
    SEQUENCE_RESTARTED = "sequence_restarted"  # numbering began anew: the device was restarted
    CONTENT_STRIPPED = "content_stripped"  # fields that name what was visited were left out
    NOT_UTF8 = "not_utf8"  # lines that are not valid UTF-8: read with what is not replaced
    FURTHER_LINES = "further_lines"  # messages of several lines: only the first is read
    BAD_FIELD = "bad_field"  # a field of a shape that its protocol does not allow: passed over
    PREFIX_ONLY = "prefix_only"  # an IPv6 prefix without the address in it: nothing is made of it
    REPEATED = "repeated"  # a request sent again: answered again, told once
    FLOW_REPEATED = "flow_repeated"  # a flow that its device stated again: counted once
    SESSION_JOINED = "session_joined"  # a session whose beginning was not heard: taken from when it says
    TOTALS_FORGOTTEN = "totals_forgotten"  # flows of too many to remember: stated again they count anew
    RATE_UNKNOWN = "rate_unknown"  # flow records of a sampler whose rate was not told: recorded as they stand
    UNKNOWN_FIELD = "unknown_field"  # fields that nothing here reads: passed over
    STREAM_GAP = "stream_gap"  # a piece of a TCP stream that a capture does not hold
    TABLE_CUT_OFF = "table_cut_off"  # a device's table that could not be read to its end: what came is told


class Evidence(IntEnum):
    """What a binding stands on; a higher number outranks a lower one."""

    FLOW = 5  # inferred: a flow feed named a MAC beside an address
    ARP = 10
    ND = 11
    SNMP = 12  # a device's own table of neighbours, read
    PRESENCE = 14  # a report of the devices that are with an access point
    ASSOCIATION = 15  # an access point says that a device joined or left it
    DHCP = 20
    DHCPV6 = 21
    RADIUS = 30
    NAT = 40  # a translation: says nothing of MACs


EVIDENCE_NAMES = {evidence: evidence.name.lower() for evidence in Evidence}
