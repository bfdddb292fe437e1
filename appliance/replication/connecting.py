"""How a connection to a central comes about: TCP marked as of least importance, a proxy if any, TLS 1.3.

Only the authority of the enrolment counts, no store of the machine; nothing is ever sent in clear to a
central. What goes wrong is Untrusted where somebody else answered, else Unreachable, each with what to do.
"""

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass

from appliance.model.errors import ReplicationError
from appliance.replication import tunnel
from appliance.replication.addresses import Place
from appliance.replication.targets import Unreachable, Untrusted

LE, CS1, UNMARKED = 1, 8, 0
"""DSCP: Lower-Effort (RFC 8622), its forerunner (RFC 4594), and the default class."""

HEAD_BYTES = 8192
_ADDRESSES = 4
_PARTING_S, _PARTING_READS = 0.5, 8
_IPV6_TCLASS = 67  # <linux/in6.h>; the socket module of some builds lacks it
_TCP_NOTSENT_LOWAT, _TCP_USER_TIMEOUT = 25, 18


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for a connection with TLS, for a peer that takes or says nothing, for a whole answer."""

    connect_s: float = 10.0
    quiet_s: float = 30.0
    answer_s: float = 60.0


def trusting(authority: str | None) -> ssl.SSLContext:
    """TLS 1.3 that believes certificates of one authority (PEM) and no other. Raises ReplicationError.

    None believes anybody: only for fetching a public identity whose hash is known.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names, loads no store
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError):
        raise ReplicationError(
            "the authority that was kept at the enrolment is no certificate; enrol the box again"
        ) from None
    return context


def connect(
    place: Place, through: Place | None, context: ssl.SSLContext, patience: Patience, marking: int
) -> ssl.SSLSocket:
    """A connection to a central, its handshake done. Raises Unreachable, Untrusted."""
    connection = _reach(through or place, patience, marking, "the proxy" if through else "central")
    try:
        if through:
            tunnel.dig(connection, through, place, patience.connect_s)
        return _encrypt(connection, place, context, through)
    except BaseException:
        connection.close()
        raise


def part(connection: ssl.SSLSocket) -> None:
    """Let a connection go, and hear its peer out for a moment.

    What comes when nobody holds the socket is answered by the kernel, which marks that as it likes.
    """
    until_s = time.monotonic() + _PARTING_S
    with contextlib.suppress(OSError), connection:
        connection.shutdown(socket.SHUT_WR)  # from here on its bytes are TCP's, not TLS's
        for _ in range(_PARTING_READS):
            connection.settimeout(max(0.001, until_s - time.monotonic()))
            if not connection.recv(HEAD_BYTES):
                return


def _reach(place: Place, patience: Patience, marking: int, who: str) -> socket.socket:
    """A TCP connection to the first of its addresses that answers."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(
            f"the name of {who}, {place.host}, cannot be looked up ({error}); check the box's name server"
        ) from None
    why: OSError | None = None
    for family, kind, protocol, _, address in found[:_ADDRESSES]:
        connection = None
        try:
            connection = socket.socket(family, kind, protocol)
            _prepare(connection, marking, patience)
            connection.connect(address)
            return connection
        except OSError as error:
            why = error
            if connection is not None:
                connection.close()
    raise Unreachable(
        f"{who} {place} does not answer ({why}); check the line, and that its firewall lets "
        f"port {place.port} out"
    )


def _prepare(connection: socket.socket, marking: int, patience: Patience) -> None:
    """Mark every packet, the first included; nothing waits in the socket's own buffer."""
    connection.settimeout(patience.connect_s)
    if connection.family == socket.AF_INET6:
        connection.setsockopt(socket.IPPROTO_IPV6, _IPV6_TCLASS, marking << 2)
    connection.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, marking << 2)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError):  # of comfort; older kernels refuse
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, 16 << 10)
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, round(patience.quiet_s * 1_000))


def _encrypt(
    connection: socket.socket, place: Place, context: ssl.SSLContext, through: Place | None
) -> ssl.SSLSocket:
    where = f"{place} through {through}" if through else str(place)
    try:
        connection.getpeername()  # what was reset already, Python would not close
        encrypted = context.wrap_socket(connection, server_hostname=place.host)
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(
            f"{where} is not the central that this box was enrolled with ({error.verify_message}); "
            "nothing was sent: check the box's clock, and ask the operator whether its certificate is right"
        ) from None
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise Unreachable(f"{where} ended the connection before it was encrypted; try later") from None
    except ssl.SSLError as error:
        raise Untrusted(
            f"{where} does not speak TLS 1.3 as a central does ({error.reason or error}); nothing was sent: "
            "check the address, and what stands between"
        ) from None
    except OSError as error:
        raise Unreachable(f"{where} ended the connection before it was encrypted ({error})") from None
    if encrypted.version() != "TLSv1.3":
        encrypted.close()
        raise Untrusted(f"{where} does not speak TLS 1.3; nothing was sent")
    return encrypted
