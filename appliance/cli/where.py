"""Options that name an address and a port."""

from appliance.model.errors import UsageError


def address_and_port(text: str) -> tuple[str, int]:
    """`ADDR:PORT`, an IPv6 address in brackets. Raises UsageError."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"--listen takes an address and a port, like 0.0.0.0:443, not '{text}'")
    return host.strip("[]"), int(port)
