"""Asking a TLS peer for its certificate, whoever has signed it.

A device's certificate is signed by itself, and known by its fingerprint. Python's `ssl` asks only together
with checking against authorities, which would refuse every such device; OpenSSL itself can ask and let the
caller judge (SSL_CTX_set_verify(3) with a callback that accepts). That call is made here.
"""

import _ssl
import ctypes
import ssl

_VERIFY_PEER = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


def _accept(_preverified: int, _store: int) -> int:
    """The handshake proves that the peer has the key; whose it is, is asked by its fingerprint afterwards."""
    return 1


_ACCEPT = _CALLBACK(_accept)
"""Held here as long as any context may call it."""


class _Context(ctypes.Structure):
    """The beginning of CPython's PySSLContext (Modules/_ssl.c, the same since 3.2)."""

    _fields_ = (("references", ctypes.c_ssize_t), ("type", ctypes.c_void_p), ("context", ctypes.c_void_p))


def ask(context: ssl.SSLContext) -> bool:
    """Ask every peer of this context; false where this Python does not let us, and nobody is asked."""
    try:
        openssl = ctypes.CDLL(_ssl.__file__)
        set_verify, get_mode = openssl.SSL_CTX_set_verify, openssl.SSL_CTX_get_verify_mode
    except (AttributeError, OSError):  # OpenSSL inside the interpreter, without its names
        return False
    set_verify.argtypes, set_verify.restype = [ctypes.c_void_p, ctypes.c_int, _CALLBACK], None
    get_mode.argtypes, get_mode.restype = [ctypes.c_void_p], ctypes.c_int
    pointer = _Context.from_address(id(context)).context
    # Only what is surely an SSL_CTX is touched: it must say the mode that Python has set.
    context.verify_mode = ssl.CERT_OPTIONAL
    if get_mode(pointer) != _VERIFY_PEER:
        context.verify_mode = ssl.CERT_NONE
        return False
    set_verify(pointer, _VERIFY_PEER, _ACCEPT)
    return True
