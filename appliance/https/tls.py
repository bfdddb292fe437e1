"""The certificate that a server shows: TLS 1.3 and nothing older, read again when it was renewed."""

import functools
import os
import ssl


def current_context(certificate: str, key: str) -> ssl.SSLContext:
    """The context for new connections. Raises OSError, ssl.SSLError where the files cannot be used."""
    state = os.stat(certificate)
    return _context(certificate, key, (state.st_ino, state.st_mtime_ns, state.st_size))


@functools.lru_cache(maxsize=2)
def _context(certificate: str, key: str, state: tuple[int, int, int]) -> ssl.SSLContext:
    """One for each state of the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
