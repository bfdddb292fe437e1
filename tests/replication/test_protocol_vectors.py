"""The examples of PROTOCOL.md, judged by openssl, base32 and plain JSON; then our own code against them."""

import base64
import contextlib
import hashlib
import json
import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from appliance.replication import claims, enrolments, identity, receipts
from appliance.replication.connecting import Patience
from appliance.replication.https_target import HttpsTarget
from appliance.replication.identity import CentralIdentity
from appliance.replication.pacing import Line
from appliance.replication.uplink import UNLIMITED
from appliance.vault import signing
from tests.replication.made_centrals import authority, listened

VECTORS = Path(__file__).parent / "vectors"
PROTOCOL = Path(__file__).parents[2] / "appliance" / "replication" / "PROTOCOL.md"


def _bytes(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def _json(name: str) -> Any:
    return json.loads(_bytes(name))


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def _public(key: str) -> bytes:
    """The 32 bytes of a key file's public key: the end of its DER form (RFC 8410)."""
    return _openssl("pkey", "-in", str(VECTORS / key), "-pubout", "-outform", "DER")[-32:]


def _verify(folder: Path, key: str, message: bytes, signature: str) -> bool:
    (folder / "message").write_bytes(message)
    (folder / "signature").write_bytes(bytes.fromhex(signature))
    (folder / "public").write_bytes(_openssl("pkey", "-in", str(VECTORS / key), "-pubout"))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public"]
    command += ["-in", "message", "-sigfile", "signature"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode == 0 and "Successfully" in done.stdout


SIGNED = {
    "claim-0.json": ("box.key", "greffier claim 1"),
    "claim-1.json": ("box.key", "greffier claim 1"),
    "receipt-0.json": ("central.key", "greffier receipt 1"),
    "receipt-1.json": ("central.key", "greffier receipt 1"),
    "line-0": ("box.key", "greffier chain 1"),
    "line-1": ("box.key", "greffier chain 1"),
    "enrolment.json": ("box.key", "greffier enrolment 1"),
    "enrolled.json": ("central.key", "greffier enrolled 1"),
}


@pytest.mark.parametrize("name", SIGNED)
def test_openssl_agrees_with_every_signature_and_with_no_other(tmp_path: Path, name: str) -> None:
    key, purpose = SIGNED[name]
    fields = _json(name)
    signature = fields.pop("sig")
    message = purpose.encode() + b"\n" + _canonical(fields)
    assert _verify(tmp_path, key, message, signature)
    assert not _verify(tmp_path, key, message + b" ", signature)
    assert not _verify(tmp_path, "central.key" if key == "box.key" else "box.key", message, signature)


@pytest.mark.parametrize("name", [*SIGNED, "identity.json"])
def test_every_example_is_canonical_json(name: str) -> None:
    content = _bytes(name)
    ends = b"" if name.startswith(("claim", "enrol")) else b"\n"
    assert content == _canonical(json.loads(content)) + ends


@pytest.mark.parametrize("number", [0, 1])
def test_claim_line_and_receipt_belong_together(number: int) -> None:
    line, claim, receipt = (
        _bytes(f"line-{number}"),
        _json(f"claim-{number}.json"),
        _json(f"receipt-{number}.json"),
    )
    digest = hashlib.sha256(line).hexdigest()
    assert claim["name"] == f"chain/{number:012d}-{digest[:16]}"
    assert claim["sha256"] == digest
    assert claim["size_bytes"] == len(line)
    assert claim["site"] == hashlib.sha256(_public("box.key")).hexdigest()
    assert {key: receipt[key] for key in ("site", "name", "sha256", "size_bytes")} == {
        key: claim[key] for key in ("site", "name", "sha256", "size_bytes")
    }
    assert receipt["central"] == hashlib.sha256(_public("central.key")).hexdigest()
    assert receipt["sequence"] == number + 1
    before = hashlib.sha256(_bytes("receipt-0.json")).hexdigest() if number else "0" * 64
    assert receipt["previous"] == before
    assert len(_bytes(f"receipt-{number}.json")) <= 1024


def test_lines_rest_on_one_another() -> None:
    assert _json("line-0")["prev"] == "0" * 64
    assert _json("line-1")["prev"] == hashlib.sha256(_bytes("line-0")).hexdigest()
    assert _json("line-0")["box"] == _public("box.key").hex()


@pytest.mark.parametrize("number", [0, 1])
def test_request_and_answer_carry_them(number: int) -> None:
    head, _, body = _bytes(f"request-{number}.http").partition(b"\r\n\r\n")
    assert body == _bytes(f"line-{number}")
    lines = head.decode().split("\r\n")
    assert lines[0] == "PUT /v1/objects HTTP/1.1"
    fields = dict(line.split(": ") for line in lines[1:])
    assert base64.urlsafe_b64decode(fields["Greffier-Claim"]) == _bytes(f"claim-{number}.json")
    assert int(fields["Content-Length"]) == len(body)
    head, _, body = _bytes(f"answer-{number}.http").partition(b"\r\n\r\n")
    assert body == _bytes(f"receipt-{number}.json")
    assert f"Content-Length: {len(body)}".encode() in head


def test_the_code_names_the_identity_and_proves_the_box() -> None:
    letters = _bytes("code.txt").replace(b"-", b"").strip()
    raw = subprocess.run(["base32", "-d"], input=letters, capture_output=True, check=True).stdout
    secret, part = raw[:10], raw[10:]
    assert hashlib.sha256(_bytes("identity.json")).digest().startswith(part)
    asked = _json("enrolment.json")
    assert asked["secret_id"] == hashlib.sha256(secret).hexdigest()[:16]
    assert asked["site_key"] == _public("box.key").hex()
    message = f"greffier enrolment 1\n{asked['site_key']}\n{part.hex()}".encode()
    proof = _openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{secret.hex()}", given=message)
    assert proof.decode().split("= ")[1].strip() == asked["proof"]
    assert (asked["line"] + "\n").encode() == _bytes("line-0")
    assert _json("enrolled.json")["site"] == hashlib.sha256(_public("box.key")).hexdigest()
    assert _json("identity.json")["key"] == _public("central.key").hex()


def test_the_authority_is_a_certificate_that_openssl_reads() -> None:
    text = _openssl("x509", "-noout", "-text", given=_json("identity.json")["authority"].encode())
    assert b"CA:TRUE" in text


def test_this_code_writes_and_reads_the_same() -> None:
    box, central = (signing.load(VECTORS / f"{who}.key") for who in ("box", "central"))
    known = identity.parse(_bytes("identity.json"))
    previous = receipts.NO_RECEIPT
    for number in (0, 1):
        line = _bytes(f"line-{number}")
        digest = hashlib.sha256(line).hexdigest()
        claim = claims.make(box, f"chain/{number:012d}-{digest[:16]}", digest, len(line))
        assert claim.render() == _bytes(f"claim-{number}.json")
        receipt = receipts.parse(_bytes(f"receipt-{number}.json"))
        assert receipt.holds(known.key)
        assert receipt.answers(claim)
        signed = receipts.sign(central, claim, number + 1, receipt.received_at_ns, previous)
        assert signed.render() == _bytes(f"receipt-{number}.json")
        previous = receipt.hash
    code = identity.parse_code(_bytes("code.txt").decode())
    assert code.names(known)
    line_0 = _bytes("line-0").decode().removesuffix("\n")
    assert enrolments.request(box, "Hotel du Port", code, line_0) == _bytes("enrolment.json")
    answer = enrolments.parse_answer(_bytes("enrolled.json"), known)
    assert enrolments.answer(central, answer) == _bytes("enrolled.json")


def test_this_code_sends_exactly_this_request_and_takes_exactly_this_answer(tmp_path: Path) -> None:
    """Byte for byte what goes over the connection; only Host is the test's own."""
    seen = bytearray()
    wanted = [_bytes(f"request-{number}.http") for number in (0, 1)]

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.settimeout(3)
        for number in (0, 1):
            while seen.count(b"PUT ") <= number or not seen.endswith(_bytes(f"line-{number}")):
                seen.extend(connection.recv(1 << 16))
            connection.sendall(_bytes(f"answer-{number}.http"))

    local = authority()
    central = CentralIdentity("first place", _json("identity.json")["key"], local.pem)
    box = signing.load(VECTORS / "box.key")
    with listened(local.issue(tmp_path), talk) as server:
        target = HttpsTarget(server.url, central, line=Line(UNLIMITED), patience=Patience(3, 3, 3))
        with contextlib.closing(target):
            for number in (0, 1):
                claim = claims.parse(_bytes(f"claim-{number}.json"))
                assert claim.holds(box.box)
                with (VECTORS / f"line-{number}").open("rb") as content:
                    receipt = target.deposit(claim, content)
                assert receipt.render() == _bytes(f"receipt-{number}.json")
        host = f"127.0.0.1:{server.where[1]}".encode()
    assert bytes(seen) == b"".join(wanted).replace(b"central.example:443", host)


def test_the_document_shows_these_examples() -> None:
    text = PROTOCOL.read_text()
    for name in VECTORS.iterdir():
        if name.suffix == ".parcel":
            continue  # the stick's, which has a test of its own
        assert f"`{name.name}`" in text, name
    shown = re.findall(r"^\{.*\}$", text, re.MULTILINE)
    assert _bytes("claim-1.json").decode() in shown
    assert _bytes("receipt-1.json").decode().strip() in shown
