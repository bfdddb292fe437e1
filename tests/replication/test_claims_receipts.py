"""Claims, receipts and codes: their form, their bounds, and openssl as the judge of their signatures."""

import base64
import contextlib
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.replication import claims, identity, names, receipts
from appliance.vault import signing

BOX = signing.signer(signing.generate())
CENTRAL = signing.signer(signing.generate())
LONGEST = "journal/traffic/2026-03-14/20260314T150000Z-0a1b2c3d-123456789-0123456789abcdef.journal"


def _openssl_verifies(public_key: str, message: bytes, signature: str, folder: Path) -> bool:
    der = bytes.fromhex("302a300506032b6570032100" + public_key)  # RFC 8410 section 4: SubjectPublicKeyInfo
    (folder / "key.der").write_bytes(der)
    (folder / "message").write_bytes(message)
    (folder / "signature").write_bytes(bytes.fromhex(signature))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin"]
    done = subprocess.run(
        [*command, "-in", "message", "-sigfile", "signature"], cwd=folder, capture_output=True, check=False
    )
    return done.returncode == 0


def test_openssl_agrees_with_a_claim_and_with_a_receipt(tmp_path: Path) -> None:
    claim = claims.make(BOX, LONGEST, "ab" * 32, 1 << 40)
    receipt = receipts.sign(CENTRAL, claim, 10**12, 1_773_500_400_000_000_000, "cd" * 32)
    for content, purpose, key in (
        (claim.render(), b"greffier claim 1\n", BOX.box),
        (receipt.render()[:-1], b"greffier receipt 1\n", CENTRAL.box),
    ):
        fields = json.loads(content)
        signature = fields.pop("sig")
        message = purpose + json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
        assert _openssl_verifies(key, message, signature, tmp_path)
        assert not _openssl_verifies(key, message + b" ", signature, tmp_path)


def test_the_longest_receipt_is_within_a_kibibyte() -> None:
    claim = claims.make(BOX, LONGEST, "ab" * 32, 1 << 62)
    assert len(receipts.sign(CENTRAL, claim, 1 << 62, 1 << 62, "cd" * 32).render()) <= 1024
    assert len(claim.render()) <= claims.LIMIT_BYTES


def test_they_are_what_they_were_when_read_again() -> None:
    claim = claims.make(BOX, LONGEST, "ab" * 32, 17)
    receipt = receipts.sign(CENTRAL, claim, 1, 1_773_500_400_123_456_789, receipts.NO_RECEIPT)
    assert claims.from_header(claim.to_header()) == claim
    assert receipts.parse(receipt.render()) == receipt
    assert claim.holds(BOX.box)
    assert receipt.holds(CENTRAL.box)
    assert receipt.answers(claim)
    assert (
        receipts.sign(CENTRAL, claim, 1, receipt.received_at_ns, receipts.NO_RECEIPT).render()
        == receipt.render()
    )


def test_a_signature_of_somebody_else_does_not_hold() -> None:
    claim = claims.make(BOX, LONGEST, "ab" * 32, 17)
    assert not claim.holds(CENTRAL.box)
    receipt = receipts.sign(CENTRAL, claim, 1, 0, receipts.NO_RECEIPT)
    assert not receipt.holds(BOX.box)
    other = claims.make(signing.signer(signing.generate()), LONGEST, "ab" * 32, 17)
    assert not receipt.answers(other)


@given(st.integers(0, 400), st.integers(0, 255))
def test_no_changed_byte_goes_unnoticed(place: int, value: int) -> None:
    receipt = receipts.sign(CENTRAL, claims.make(BOX, LONGEST, "ab" * 32, 17), 3, 5, "cd" * 32).render()
    changed = bytearray(receipt)
    changed[place % len(changed)] = value
    if bytes(changed) == receipt:
        return
    with contextlib.suppress(ValueError):
        assert not receipts.parse(bytes(changed)).holds(CENTRAL.box)


@given(st.binary(max_size=1200))
def test_hostile_bytes_are_refused(content: bytes) -> None:
    for parse in (claims.parse, receipts.parse, identity.parse):
        with pytest.raises(ValueError, match="is"):
            parse(content)
    with pytest.raises(ValueError, match="is"):
        claims.from_header(content.decode("latin-1"))


@pytest.mark.parametrize("field", ["site", "name", "sha256", "size_bytes", "sig"])
@pytest.mark.parametrize("value", [None, 0, -1, 1.5, True, "", "é", [], {}, "A" * 64, "0" * 63])
def test_a_field_of_a_wrong_form_is_refused_and_no_more(field: str, value: object) -> None:
    fields = json.loads(claims.make(BOX, LONGEST, "ab" * 32, 17).render())
    fields[field] = value
    content = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    with contextlib.suppress(ValueError):
        assert not claims.parse(content).holds(BOX.box)


@pytest.mark.parametrize(
    "text",
    [
        "", "chain", "chain/1-5e9a01c2d3b4a596", "chain/000000000001-5E9A01C2D3B4A596", "/etc/passwd",
        "chain/000000000001-5e9a01c2d3b4a596\n", "chain/../000000000001-5e9a01c2d3b4a596",
        "envelopes/identity2/2026-03-14/0123456789abcdef.envelope", "box.key", "sources.toml",
        "envelopes/traffic/2026-02-30/0123456789abcdef.envelope", "statistics/2026-03-14/../../box.key",
        "segments/traffic/2026-03-14/1400-0123456789abcdef-5e9a01c2.parquet\0",
        "segments/traffic/２０２６-03-14/1400-0123456789abcdef-5e9a01c2.parquet",
    ],
)  # fmt: skip
def test_what_no_box_writes_is_no_name(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of dates too, whose words are Python's
        names.parse(text)


def test_a_code_is_typed_as_people_type() -> None:
    central = identity.CentralIdentity("Lyon", CENTRAL.box, "-----BEGIN CERTIFICATE-----\n")
    code = identity.new_code(central)
    assert identity.parse_code(f"  {str(code).lower().replace('-', ' ')}\n") == code
    assert code.names(identity.parse(central.render()))
    other = identity.CentralIdentity("Lyon", BOX.box, central.authority)
    assert not code.names(other)
    assert len(base64.b32decode(str(code).replace("-", ""))) == 20
    for wrong in ("", str(code)[:-1], str(code) + "A", "0" * 32, "é" * 32):
        with pytest.raises(ValueError, match="is not an enrolment code"):
            identity.parse_code(wrong)
