"""The second factor: RFC 6238's vectors, clocks that are off, codes that are used up."""

import base64
import io

import pyotp
import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from webui.accounts import factors

S = 1_000_000_000
SECRET = base64.b32encode(b"12345678901234567890").decode()

VECTORS = ((59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
           (2000000000, "69279037"), (20000000000, "65353130"))  # fmt: skip
"""RFC 6238, appendix B, SHA-1: eight digits, of which an authenticator shows the last six."""


@pytest.mark.parametrize(("seconds", "digits"), VECTORS)
def test_the_vectors_of_rfc_6238(seconds: int, digits: str) -> None:
    assert factors.matching_step(SECRET, digits[-6:], seconds * S) == seconds // 30


@pytest.mark.parametrize(
    ("late_s", "is_taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_a_phone_may_be_half_a_minute_off(late_s: int, is_taken: bool) -> None:
    code = pyotp.TOTP(SECRET).at(1_700_000_010 + late_s)
    assert (factors.matching_step(SECRET, code, 1_700_000_010 * S) is not None) is is_taken


def test_a_step_is_used_up_with_those_before_it() -> None:
    now_ns = 1_700_000_010 * S
    step = factors.matching_step(SECRET, pyotp.TOTP(SECRET).at(1_700_000_010), now_ns)
    assert step is not None
    for at in (1_700_000_010, 1_699_999_980):
        assert factors.matching_step(SECRET, pyotp.TOTP(SECRET).at(at), now_ns, step) is None
    later = pyotp.TOTP(SECRET).at(1_700_000_040)
    assert factors.matching_step(SECRET, later, now_ns, step) == step + 1


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_code_or_is_not(text: str) -> None:
    step = factors.matching_step(SECRET, text, 1_700_000_010 * S)
    right = {pyotp.TOTP(SECRET).at(1_700_000_010 + late) for late in (-30, 0, 30)}
    assert (step is not None) == ("".join(text.split()) in right)
    factors.number_of(text)
    factors.looks_like_recovery(text)


def test_a_code_may_be_typed_as_it_is_shown() -> None:
    assert factors.matching_step(SECRET, " 287 082 ", 59 * S) == 1


def test_recovery_codes_are_many_and_different_and_forgiving() -> None:
    codes = factors.new_recovery_codes()
    assert len(set(codes)) == factors.RECOVERY_CODES == 10
    for code in codes:
        assert factors.looks_like_recovery(code)
        assert factors.number_of(code.lower().replace("-", " ")) == factors.number_of(code)
        assert not factors.looks_like_recovery("123456")


def test_the_picture_is_the_key() -> None:
    uri = factors.uri(SECRET, "Zoé Martin", "Hôtel du Port")
    again = pyotp.parse_uri(uri)
    assert (again.secret, again.name, again.issuer) == (SECRET, "Zoé Martin", "Hôtel du Port")
    assert "style" not in factors.qr(uri)
    drawn = io.BytesIO()
    code = segno.make(uri, error="m", boost_error=False, mask=4)
    code.save(drawn, kind="svg", omitsize=True, scale=5, border=4)
    paths = drawn.getvalue().decode().split('d="')[-1].split('"')[0]
    assert paths in factors.qr(uri)
