"""What nDPI's authors published beside their captures: host names, and categories, flow by flow."""

from collections import Counter
from collections.abc import Iterator

import pytest

from appliance.classify.categories import Category
from tests.classify.reading import SHARED, TABLES, Flow, Read, published, read, row_of

FOLDER = SHARED / "ndpi"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no folder ../shared/data/ndpi with captures")

GLANCED_AT = {80, 591, 8008, 8080, 443, 8443}
NOT_FOUND = {
    "crawler_false_positive.pcapng": "the request's host is beyond its first segment",
    "http_ua_splitted_in_two_pkts.pcapng": "the request's host is beyond its first segment",
    "http-manipulated.pcap": "the packet is shorter than any browser's request",
    "wow.pcap": "the packet is shorter than any browser's request",
    **dict.fromkeys(
        ("quic-23.pcap", "quic-24.pcap", "quic-27.pcap"), "a draft of QUIC nobody speaks any more"
    ),
    **dict.fromkeys(
        ("quic-mvfst-27.pcapng", "quic-mvfst-exp.pcap"), "Facebook's own QUIC, before the standard"
    ),
    **dict.fromkeys(
        [
            "gquic.pcap",
            "http_ipv6.pcap",
            "quic046.pcap",
            "quic_q39.pcap",
            "quic_q43.pcap",
            "quic_q46.pcap",
            "quic_q46_b.pcap",
            "quic_q50.pcap",
            "quic_t50.pcap",
            "quic_t51.pcap",
            "youtube_quic.pcap",
        ],
        "Google's own QUIC, before the standard",
    ),
}
"""Names that nDPI prints and we do not find, by capture; each with its reason."""

FOUND_IN_PART = {"youtubeupload.pcap": "some of its connections are Google's own QUIC"}

AGREE = {
    "Media": {Category.VIDEO, Category.MUSIC, Category.CALLS},
    "Streaming": {Category.VIDEO, Category.MUSIC},
    "Video": {Category.VIDEO, Category.CALLS},
    "Music": {Category.MUSIC},
    "SocialNetwork": {Category.SOCIAL},
    "Chat": {Category.MESSAGING, Category.CALLS},
    "Collaborative": {Category.MESSAGING},
    "VoIP": {Category.CALLS},
    "Game": {Category.GAMES},
    "SoftwareUpdate": {Category.UPDATE_STORE},
    "ConnCheck": {Category.UPDATE_STORE},  # asked of the hosts that updates come from
    "Download": {Category.FILE_TRANSFER, Category.UPDATE_STORE},
    "Cloud": {Category.FILE_TRANSFER},
    "VPN": {Category.VPN},
    "RemoteAccess": {Category.REMOTE_ACCESS},
    "Email": {Category.MAIL},
    "Network": {Category.NAME_SERVICE},
    "DataTransfer": {Category.FILE_TRANSFER},
}
"""nDPI's categories to ours; those that say only "Web" or "System" are compared with nothing."""

KNOWN_TO_DIFFER = {
    "HTTP_Proxy.QQ": "nDPI takes a part of WeChat for downloads",
    "TLS.WhatsAppFiles": "nDPI takes pictures sent by WhatsApp for downloads",
    "TLS.AppleiTunes": "nDPI takes the store for streaming; Apple's own list has it among its stores",
    "Viber": "nDPI counts Viber's messages as calls",
    "PFCP": "a rare protocol at a port that Zoom uses",
    "STUN": "nDPI counts it as network where it knows no service; it opens the way for calls",
    "DTLS": "nDPI counts it as network where it knows no service; it is at Zoom's port",
    "WireGuard.Mullvad": "hidden at a port of calls on purpose",
}
"""nDPI's protocols whose category we do not share; each with its reason."""

GENERIC = (Category.OTHER, Category.WEB, Category.TLS_WEB)


@pytest.fixture(scope="module")
def flows() -> dict[str, list[tuple[Flow, Read]]]:
    """By capture: every flow nDPI tells of, and what we have read of the capture."""
    found = {}
    for path in sorted(FOLDER.glob("*.pcap*")):
        if path.suffix != ".out" and (told := list(published(path))):
            result = read(path)
            found[path.name] = [(flow, result) for flow in told]
    return found


def category(flow: Flow, result: Read) -> Category:
    return Category(int(result.categories.of(row_of(flow.protocol, flow.one, flow.other))[0]))


def named(flows: dict[str, list[tuple[Flow, Read]]]) -> Iterator[tuple[str, Flow, Read]]:
    """Flows of TLS, HTTP and QUIC with a name, at the ports that are glanced at."""
    for name, pairs in flows.items():
        for flow, result in pairs:
            if (
                flow.host
                and flow.kind.split(".")[0] in {"TLS", "HTTP", "QUIC"}
                and flow.other[1] in GLANCED_AT
            ):
                yield name, flow, result


def test_every_host_name_that_ndpi_prints_is_found_but_for_those_with_a_reason(
    flows: dict[str, list[tuple[Flow, Read]]],
) -> None:
    told = list(named(flows))
    missing = {
        name
        for name, flow, result in told
        if not result.heard(flow.host) and not result.heard(flow.host.rpartition(":")[0])
    }
    assert missing == set(NOT_FOUND)
    assert len(told) > 1000
    assert len({name for name, _, _ in told}) >= 100


def test_categories_agree_with_those_of_ndpi(flows: dict[str, list[tuple[Flow, Read]]]) -> None:
    same, other, captures = 0, Counter(), set()
    for name, pairs in flows.items():
        for flow, result in pairs:
            ours = category(flow, result)
            if ours in GENERIC or flow.category not in AGREE:
                continue
            captures.add(name)
            if ours in AGREE[flow.category]:
                same += 1
            else:
                other[flow.kind, flow.category, ours.name] += 1
    assert len(captures) >= 100
    assert same > 700
    assert same / (same + other.total()) >= 0.95, other
    assert {kind for kind, _, _ in other} == set(KNOWN_TO_DIFFER)


def known(host: str) -> Category | None:
    """Category of a name in the table, looked up label by label."""
    labels = host.split(".")
    suffixes = (".".join(labels[first:]) for first in range(len(labels)))
    return next((TABLES.domains[suffix] for suffix in suffixes if suffix in TABLES.domains), None)


def test_a_connection_has_the_category_of_the_longest_suffix(
    flows: dict[str, list[tuple[Flow, Read]]],
) -> None:
    wanted = [
        (flow, result)
        for name, flow, result in named(flows)
        if known(flow.host) and name not in {*NOT_FOUND, *FOUND_IN_PART}
    ]
    assert [flow.host for flow, result in wanted if category(flow, result) != known(flow.host)] == []
    assert len(wanted) > 100
