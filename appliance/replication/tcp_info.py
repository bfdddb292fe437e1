"""What the kernel knows of a TCP connection: delays, losses, what was acknowledged (TCP_INFO, tcp(7))."""

import socket
import struct
from dataclasses import dataclass

_LAYOUT = struct.Struct("=8B 4I 5I 4I 8I 3I 4Q 2I 4I 4Q 2I 2Q")
"""struct tcp_info of <linux/tcp.h> down to tcpi_bytes_retrans (Linux 4.19). A kernel may know less or more:
it copies what it knows, in this order for ever, so that what is missing at the end is zero."""

_NAMES = (
    "state", "ca_state", "retransmits", "probes", "backoff", "options", "scales", "flags",
    "rto", "ato", "snd_mss", "rcv_mss",
    "unacked", "sacked", "lost", "retrans", "fackets",
    "last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv",
    "pmtu", "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering",
    "rcv_rtt", "rcv_space", "total_retrans",
    "pacing_rate", "max_pacing_rate", "bytes_acked", "bytes_received",
    "segs_out", "segs_in",
    "notsent_bytes", "min_rtt", "data_segs_in", "data_segs_out",
    "delivery_rate", "busy_time", "rwnd_limited", "sndbuf_limited",
    "delivered", "delivered_ce",
    "bytes_sent", "bytes_retrans",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """Times in microseconds, rates in bytes a second; 0 where this kernel does not say.

    `rtt_us` is smoothed (RFC 6298), `min_rtt_us` the least of the last five minutes. `window_bytes` may be
    under way at once. `retransmitted` counts segments. `delivery_rate` is what arrived lately, `app_limited`
    whether that was all there was to send.
    """

    rtt_us: int
    min_rtt_us: int
    mss_bytes: int
    window_bytes: int
    unacked: int
    retransmitted: int
    acked_bytes: int
    notsent_bytes: int
    delivery_rate: int
    app_limited: bool


def read(connection: socket.socket) -> TcpInfo:
    """As it is now. Raises OSError on what is no TCP socket, or no socket any more."""
    raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAYOUT.size)
    return parse(raw)


def parse(raw: bytes) -> TcpInfo:
    """The kernel's bytes, shorter or longer than this layout."""
    told = dict(zip(_NAMES, _LAYOUT.unpack(raw[: _LAYOUT.size].ljust(_LAYOUT.size, b"\0")), strict=True))
    return TcpInfo(
        rtt_us=told["rtt"],
        min_rtt_us=told["min_rtt"],
        mss_bytes=told["snd_mss"],
        window_bytes=told["snd_cwnd"] * told["snd_mss"],
        unacked=told["unacked"],
        retransmitted=told["total_retrans"],
        acked_bytes=told["bytes_acked"],
        notsent_bytes=told["notsent_bytes"],
        delivery_rate=told["delivery_rate"],
        app_limited=bool(told["flags"] & 1),
    )
