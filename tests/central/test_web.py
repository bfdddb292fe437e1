"""Central's requests, asked by curl and by openssl: what is taken, what is refused, what is told."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.central import places, tallies
from appliance.model.instants import day_of
from appliance.replication import claims, names, receipts
from appliance.runtime.clock import now_ns
from appliance.vault import chain, signing
from tests.system.boxes import Box, make_box
from tests.system.central_boxes import Place, enrol, site_of


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Served:
    """A central that runs, a box that is enrolled there, and curl."""

    place: Place
    box: Box

    def curl(self, path: str, *options: str, body: bytes | None = None) -> Answer:
        command = ["curl", "-sS", "-i", "--path-as-is", "--cacert", str(self.place.folder / "tls" / "ca.pem")]
        if body is not None:
            options = ("--data-binary", "@-", "-H", "Expect:", *options)
        done = subprocess.run(
            [*command, *options, self.place.url + path], input=body, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        first, *rest = head.decode("ascii").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in rest)
        return Answer(int(first.split()[1]), headers, content)

    def put(self, claim: claims.Claim, body: bytes, *options: str) -> Answer:
        header = f"Greffier-Claim: {claim.to_header()}"
        return self.curl("/v1/objects", "-X", "PUT", "-H", header, *options, body=body)

    @property
    def signer(self) -> signing.Signer:
        return signing.load(self.box.home / "box.key")

    def first_line(self) -> tuple[claims.Claim, bytes]:
        """The box's first object: line 0 of its chain, without its newline or with it as central takes it."""
        content = (self.box.home / "chain.jsonl").read_bytes().partition(b"\n")[0] + b"\n"
        digest = sha256(content)
        return claims.make(self.signer, names.of_line(0, digest), digest, len(content)), content


def sha256(content: bytes) -> str:
    done = subprocess.run(["sha256sum"], input=content, capture_output=True, check=True)
    return done.stdout.split()[0].decode("ascii")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    place = Place.new(folder / "lyon", "Lyon")
    place.start()
    try:
        box = make_box(folder, ["10.0.0.0/8"])
        enrol(box, place)
        yield Served(place, box)
    finally:
        place.end()


def is_bare(answer: Answer) -> bool:
    """Whether an answer says nothing but its status."""
    return answer.body == b"" and set(answer.headers) <= {
        "server", "date", "connection", "content-type", "content-length", "allow", "retry-after",
    }  # fmt: skip


def test_the_identity_is_public_and_is_the_file_that_lies_there(served: Served) -> None:
    answer = served.curl("/v1/identity")
    assert (answer.status, answer.body) == (200, (served.place.folder / "identity.json").read_bytes())


def test_no_answer_tells_a_program_or_a_version(served: Served) -> None:
    for path in ("/v1/identity", "/", "/v1/objects"):
        said = json.dumps(served.curl(path).headers).lower()
        assert not [word for word in ("gunicorn", "bottle", "python", "x-powered") if word in said]
        assert "." not in served.curl(path).headers["server"]


def test_an_object_is_answered_by_its_receipt_and_by_the_same_each_time(served: Served) -> None:
    claim, content = served.first_line()
    first, again = served.put(claim, content), served.put(claim, content)
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    assert len(first.body) <= 1024
    receipt = receipts.parse(first.body)
    assert receipt.answers(claim)
    assert receipt.site == site_of(served.box)


def test_it_is_signed_by_the_key_of_the_identity_says_openssl(served: Served, tmp_path: Path) -> None:
    claim, content = served.first_line()
    fields = json.loads(served.put(claim, content).body)
    signature = bytes.fromhex(fields.pop("sig"))
    message = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    (tmp_path / "message").write_bytes(b"greffier receipt 1\n" + message)
    (tmp_path / "signature").write_bytes(signature)
    key = ["openssl", "pkey", "-in", str(served.place.folder / "central.key"), "-pubout"]
    (tmp_path / "key.pem").write_bytes(subprocess.run(key, capture_output=True, check=True).stdout)
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "message"]
    done = subprocess.run([*verify, "-sigfile", "signature"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [
    "/", "/v1", "/v1/", "/v1/objects/", "/v1/objects/x", "/v1/objects/..", "/v1/../v1/objects",
    "//v1/objects", "/v1/objects%2f", "/V1/objects", "/v1/identity/../objects", "/v1/objects;a", "/%2e%2e/",
    "/../../etc/passwd", "/v1/objects%00", "/v1/receipts", "/v1/sites", "/favicon.ico", "/%ff%fe",
])  # fmt: skip
def test_no_other_path_is_there(served: Served, path: str) -> None:
    for options in ([], ["-X", "PUT"], ["-X", "POST"]):
        answer = served.curl(path, *options)
        assert answer.status in (400, 404)
        assert is_bare(answer)


@pytest.mark.parametrize(("path", "methods"), [
    ("/v1/objects", ["GET", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]),
    ("/v1/identity", ["PUT", "POST", "DELETE"]),
    ("/v1/enrolments", ["GET", "PUT", "DELETE"]),
])  # fmt: skip
def test_no_other_method_is_there(served: Served, path: str, methods: list[str]) -> None:
    for method in methods:
        answer = served.curl(path, "-X", method)
        assert answer.status in (400, 405), method
        assert is_bare(answer)


def test_a_head_has_no_body(served: Served) -> None:
    assert served.curl("/v1/objects", "-I").status == 405
    assert served.curl("/v1/identity", "-I").body == b""


def test_a_claim_that_is_none_is_refused_before_its_body(served: Served) -> None:
    claim, content = served.first_line()
    header = claim.to_header()
    fields = json.loads(base64.urlsafe_b64decode(header))
    spoiled = {
        "nothing": "", "no base64": "?" + header, "twice": f"{header},{header}", "long": "A" * 3000,
        "not canonical": b64(json.dumps(fields)), "no JSON": b64("claim"), "deep": b64("[" * 700),
        "another format": b64(canonical({**fields, "format": "greffier claim 2"})),
        "one field more": b64(canonical({**fields, "more": 1})),
        "a negative size": b64(canonical({**fields, "size_bytes": -1})),
        "a size that is text": b64(canonical({**fields, "size_bytes": "3"})),
        "a name that is a path": b64(canonical({**fields, "name": "../../etc/passwd"})),
        "a long name": b64(canonical({**fields, "name": "a" * 400})),
    }  # fmt: skip
    for what, value in spoiled.items():
        answer = served.curl("/v1/objects", "-X", "PUT", "-H", f"Greffier-Claim: {value}", body=content)
        assert answer.status in (400, 403), what
        assert is_bare(answer), what
    without = served.curl("/v1/objects", "-X", "PUT", body=content)
    assert without.status == 400


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode("ascii")


def canonical(fields: dict[str, object]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def test_who_is_not_authorised_learns_nothing(served: Served) -> None:
    """An unknown site, a wrong signature, another site's name: one status, the same headers, no body."""
    claim, content = served.first_line()
    stranger = signing.signer(signing.generate())
    digest = sha256(content)
    fields = json.loads(claim.render())
    wrong = claims.Claim(claim.site, claim.name, digest, len(content), "00" * 64)
    other_name = claims.Claim(claim.site, names.of_line(7, digest), digest, len(content), fields["sig"])
    unknown = claims.make(stranger, names.of_line(0, digest), digest, len(content))
    answers = [served.put(one, content) for one in (wrong, other_name, unknown)]
    assert {answer.status for answer in answers} == {403}
    shown = {tuple(sorted({**answer.headers, "date": ""}.items())) for answer in answers}
    assert len(shown) == 1
    assert all(map(is_bare, answers))


def test_the_length_of_the_body_is_that_of_the_claim(served: Served) -> None:
    claim, content = served.first_line()
    assert served.put(claim, content + b"x").status == 400
    assert served.put(claim, content[:-1]).status == 400
    assert served.put(claim, b"").status == 400


def test_a_chunked_body_is_refused(served: Served) -> None:
    claim, content = served.first_line()
    answer = served.put(claim, content, "-H", "Transfer-Encoding: chunked", "-H", "Content-Length:")
    assert answer.status == 400
    assert is_bare(answer)


def test_other_bytes_than_were_claimed_are_refused_and_not_kept(served: Served) -> None:
    signer, content = served.signer, b"not what was hashed\n"
    name = "envelopes/traffic/2027-01-15/0123456789abcdef.envelope"
    claim = claims.make(signer, name, "ab" * 32, len(content))
    answer = served.put(claim, content)
    assert answer.status == 422
    assert is_bare(answer)
    held = [path for path in served.place.folder.rglob("*") if "0123456789abcdef" in path.name]
    assert held == []


def test_what_rests_on_nothing_that_came_is_too_early(served: Served) -> None:
    content = b"x" * 100
    name = "segments/traffic/2027-01-15/1000-0123456789abcdef-00000001.parquet"
    answer = served.put(claims.make(served.signer, name, sha256(content), 100), content)
    assert answer.status == 412
    assert is_bare(answer)


def test_what_is_larger_than_anything_of_its_kind_is_refused_unread(served: Served) -> None:
    """The body is announced and never sent: the answer comes all the same."""
    name = "statistics/2027-01-15/0123abcd-1.jsonl"
    claim = claims.make(served.signer, name, "ab" * 32, 1 << 40)
    request = (
        f"PUT /v1/objects HTTP/1.1\r\nHost: central\r\nContent-Length: {1 << 40}\r\n"
        f"Greffier-Claim: {claim.to_header()}\r\n\r\n"
    )
    assert said_to(served, request.encode()).startswith(b"HTTP/1.1 413 ")


def said_to(served: Served, raw: bytes, wait_s: float = 15) -> bytes:
    """What central answers to bytes sent inside TLS 1.3 by openssl, as far as it comes at once."""
    command = [
        "openssl",
        "s_client",
        "-quiet",
        "-connect",
        served.place.url.removeprefix("https://"),
        "-tls1_3",
    ]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdin
        assert process.stdout
        process.stdin.write(raw)
        process.stdin.flush()
        return process.stdout.read1(65536)
    finally:
        process.kill()
        process.communicate(timeout=wait_s)


@pytest.mark.parametrize(("what", "raw"), [
    ("no HTTP", b"hello\r\n\r\n"),
    ("a long line", b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a long header", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n"),
    ("many headers", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 500 + b"\r\n"),
    ("two lengths", b"PUT /v1/objects HTTP/1.1\r\nHost: a\r\n"
     b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    ("a length and chunks", b"PUT /v1/objects HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a negative length", b"PUT /v1/objects HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    ("another version", b"GET /v1/identity HTTP/3.9\r\nHost: a\r\n\r\n"),
    ("a proxy's line", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
])  # fmt: skip
def test_what_is_no_request_gets_a_status_and_no_word(served: Served, what: str, raw: bytes) -> None:
    said = said_to(served, raw)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1."), what
    assert head.split()[1] in (b"400", b"404"), what
    assert body == b"", what
    assert b"gunicorn" not in said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1", "-tls1_2"])
def test_older_tls_is_refused(served: Served, version: str) -> None:
    address = served.place.url.removeprefix("https://")
    command = ["openssl", "s_client", "-connect", address, version, "-cipher", "ALL:@SECLEVEL=0"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=30)
    assert done.returncode != 0
    assert b"alert protocol version" in done.stderr + done.stdout


def test_tls_1_3_shows_a_certificate_of_the_authority(served: Served) -> None:
    address = served.place.url.removeprefix("https://")
    authority = str(served.place.folder / "tls" / "ca.pem")
    command = ["openssl", "s_client", "-connect", address, "-CAfile", authority, "-verify_return_error"]
    done = subprocess.run([*command, "-verify_ip", "127.0.0.1"], input=b"", capture_output=True, timeout=30)
    assert b"Verify return code: 0 (ok)" in done.stdout
    assert b"TLSv1.3" in done.stdout


def test_clear_text_gets_nothing(served: Served) -> None:
    url = served.place.url.replace("https", "http") + "/v1/identity"
    done = subprocess.run(["curl", "-sS", "-i", url], capture_output=True, timeout=30)
    assert done.returncode != 0
    assert done.stdout == b""


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 4096, b"x" * 4097, b"[" * 4000])
def test_an_enrolment_that_is_none_is_refused(served: Served, body: bytes) -> None:
    answer = served.curl("/v1/enrolments", "-X", "POST", body=body)
    assert answer.status == 400
    assert is_bare(answer)


def test_every_refused_request_is_counted_by_day_and_reason(tmp_path: Path) -> None:
    """However many come, nothing grows but numbers, and no log says who it was."""
    place = Place.new(tmp_path / "lille", "Lille")
    place.start()
    stranger = signing.signer(signing.generate())
    claim = claims.make(stranger, names.of_line(0, "00" * 32), "00" * 32, 3)
    served = Served(place, Box(tmp_path, ()))
    try:
        for _ in range(5):
            assert served.put(claim, b"abc").status == 403
        assert served.curl("/favicon.ico").status == 404
        assert said_to(served, b"hello\r\n\r\n").startswith(b"HTTP/1.1 400")
        clear = ["curl", "-sS", place.url.replace("https", "http")]
        assert subprocess.run(clear, capture_output=True, timeout=30).returncode != 0
    finally:
        place.end()
    central = places.open(place.folder)
    try:
        assert tallies.refused_on(central.database, day_of(now_ns())) == {
            "not_authorised": 5, "not_found": 1, "not_http": 1, "no_tls": 1,
        }  # fmt: skip
    finally:
        central.close()
    log = place.said()
    assert "PUT 403" not in log
    summed = re.findall(r"(?m)^refused .*$", log)
    assert 1 <= len(summed) <= place.workers
    assert sum(int(number) for number in re.findall(r"([0-9]+) with 403", " ".join(summed))) == 5
    assert "127.0.0.1" not in log.replace("listens at https://127.0.0.1", "")
    assert "Traceback" not in log


def test_the_chain_of_the_box_is_what_was_sent(served: Served) -> None:
    """The first line that the other tests sent lies in the store to the byte."""
    claim, content = served.first_line()
    assert served.put(claim, content).status == 200
    kept = [path for path in (served.place.folder / "objects").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in kept if claim.sha256 in path.name] == [content]
    assert json.loads(content)["prev"] == chain.NO_LINE
