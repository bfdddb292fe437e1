"""The second factor: codes of an authenticator (TOTP, RFC 6238), each taken once, and recovery codes.

SHA-1, six digits, 30 s: what every authenticator can. `now` is given.
"""

import hashlib
import hmac
import secrets

import pyotp
import segno

STEP_S = 30
_TOLERATED = 1
"""Steps that a phone's clock may be off, either way (RFC 6238, section 5.2)."""

_MASK = 4

RECOVERY_CODES = 10
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_RECOVERY_LETTERS = 16
"""80 bits: they are kept as a plain SHA-256."""


def new_secret() -> str:
    """160 random bits (RFC 4226, section 4), base32."""
    return pyotp.random_base32(32)


def uri(secret: str, name: str, issuer: str) -> str:
    """What the QR code says to an authenticator."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def qr(text: str) -> str:
    """A QR code as SVG without a style, so that a strict policy lets it be drawn.

    The mask is given (ISO/IEC 18004 lets any be read): to try all eight would take five times as long.
    """
    drawn: str = segno.make(text, error="m", boost_error=False, mask=_MASK).svg_inline(
        scale=5, border=4, svgclass=None, lineclass=None, omitsize=True, light="#fff", dark="#000"
    )
    return drawn


def matching_step(secret: str, code: str, now_ns: int, last_step: int = 0) -> int | None:
    """The time step that this code is of; None if it is wrong, or of a step that is used up."""
    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    counter = pyotp.HOTP(secret)
    step_now = now_ns // (STEP_S * 1_000_000_000)
    found = None
    for step in range(step_now - _TOLERATED, step_now + _TOLERATED + 1):
        if hmac.compare_digest(counter.at(step), digits) and step > last_step:
            found = step
    return found


def new_recovery_codes() -> tuple[str, ...]:
    """Codes to be printed and locked away, in groups that can be read aloud."""
    return tuple(_grouped() for _ in range(RECOVERY_CODES))


def _grouped() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_LETTERS))
    return "-".join(letters[at : at + 4] for at in range(0, _RECOVERY_LETTERS, 4))


def looks_like_recovery(code: str) -> bool:
    """Whether somebody typed one of those in place of six digits."""
    return len(_bare(code)) == _RECOVERY_LETTERS


def number_of(code: str) -> str:
    """What is kept of a recovery code."""
    return hashlib.sha256(_bare(code).encode()).hexdigest()


def _bare(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())
