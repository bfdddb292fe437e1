"""Through an HTTP proxy to a central: CONNECT (RFC 9110 section 9.3.6), before anything is encrypted.

The proxy is told where to, and its own name and password if it wants any; nothing else is ever said in clear.
Its answer is bounded, and nothing of it but the status counts.
"""

import base64
import socket
import time

import h11

from appliance.replication.addresses import Place
from appliance.replication.targets import Unreachable

_HEAD_BYTES, _HEADERS = 8192, 32


def dig(connection: socket.socket, through: Place, place: Place, limit_s: float) -> None:
    """Have a proxy, to which there is a connection, connect to central. Raises Unreachable."""
    headers = [("Host", str(place))]
    if through.credentials:
        token = base64.b64encode(through.credentials.encode()).decode("ascii")
        headers.append(("Proxy-Authorization", f"Basic {token}"))
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
    asked = http.send(h11.Request(method="CONNECT", target=str(place), headers=headers))
    until_s = time.monotonic() + limit_s
    try:
        connection.sendall(asked or b"")
        status = _status(connection, http, until_s)
    except h11.RemoteProtocolError:
        raise Unreachable(f"what answers at {through} is no HTTP proxy; check the proxy's address") from None
    except OSError as error:
        raise Unreachable(
            f"the proxy {through} ended without an answer ({error}); look at the proxy"
        ) from None
    if not 200 <= status < 300:
        raise Unreachable(_refusal(through, place, status))
    if http.trailing_data[0]:
        raise Unreachable(f"the proxy {through} speaks in central's place; look at the proxy")


def _status(connection: socket.socket, http: h11.Connection, until_s: float) -> int:
    spoken = 0
    while True:
        event = http.next_event()
        if isinstance(event, h11.Response):
            if len(event.headers) > _HEADERS:
                raise h11.RemoteProtocolError("too many headers")
            return event.status_code
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        connection.settimeout(left_s)
        received = connection.recv(1024)
        spoken += len(received)
        if not received or spoken > _HEAD_BYTES:
            raise ConnectionResetError("closed" if not received else "its answer is endless")
        http.receive_data(received)


def _refusal(through: Place, place: Place, status: int) -> str:
    if status == 407:
        return f"the proxy {through} wants a name and password, or refuses these; give the right ones"
    if status in (502, 503, 504):
        return (
            f"the proxy {through} does not reach central {place} ({status}); check the address and the line"
        )
    return f"the proxy {through} refuses connections to {place} ({status}); allow them there"
