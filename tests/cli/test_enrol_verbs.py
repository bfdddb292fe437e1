"""Enrolment as operator and installer meet it: a code, two fingerprints, and every way in which it fails."""

import contextlib
import importlib
import io
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from appliance.central import enrolment, places
from appliance.central.tables import Code
from appliance.cli.main import main
from appliance.config.box import BoxConfig
from appliance.runtime.clock import now_ns
from appliance.vault import homes, signing
from tests.ports import free_port
from tests.system.boxes import GREFFIER
from tests.system.central_boxes import Place
from tests.system.warm import wait_for

HOUR_NS = 3600 * 10**9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("enrolment")


@pytest.fixture(scope="module")
def lyon(folder: Path) -> Iterator[Place]:
    place = Place.new(folder / "lyon", "Lyon")
    place.start()
    yield place
    place.end()


@pytest.fixture(scope="module")
def lille(folder: Path) -> Iterator[Place]:
    place = Place.new(folder / "lille", "Lille")
    place.start()
    yield place
    place.end()


@pytest.fixture
def box(tmp_path: Path) -> Path:
    return new_box(tmp_path / "box")


def new_box(home: Path) -> Path:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    homes.create(home, BoxConfig("Hotel du Port", 1, (recipient,), ("10.0.0.0/8",)))
    return home


def site_of(box: Path) -> str:
    return signing.load(box / "box.key").fingerprint


def greffier(*arguments: str | Path, expect: int = 0) -> str:
    """What a verb says, on stdout or in its one sentence of an error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    assert code == expect, out.getvalue() + err.getvalue()
    if expect:
        assert len(err.getvalue().strip().splitlines()) == 1
    return out.getvalue() + err.getvalue()


def code_of(place: Place) -> str:
    said = greffier("central", "enrol", "--dir", place.folder, "--site", "Hotel du Port", "--json")
    return str(json.loads(said)["code"])


def enrol(box: Path, url: str, code: str, expect: int, *options: str) -> str:
    return greffier("enrol", "--home", box, "--to", url, "--code", code, *options, expect=expect)


def knows(box: Path) -> list[dict[str, str]]:
    """What the home holds of its centrals."""
    files = sorted((box / "replication").glob("*/target.json"))
    return [json.loads(path.read_text()) for path in files]


def await_port(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)


def fingerprint_of(folder: Path) -> str:
    """SHA-256 of the identity's bytes, by sha256sum."""
    done = subprocess.run(["sha256sum", str(folder / "identity.json")], capture_output=True, text=True)
    return done.stdout.split()[0]


def test_both_sides_show_the_same_two_fingerprints(lyon: Place, box: Path) -> None:
    given = greffier("central", "enrol", "--dir", lyon.folder, "--site", "Hotel du Port")
    code = re.search(r"--code (\S+)", given).group(1)  # type: ignore[union-attr]
    said = enrol(box, lyon.url, code, 0)
    ours = fingerprint_of(lyon.folder)
    assert ours in given
    assert f"Fingerprint of the central: {ours}" in said
    of_the_box = site_of(box)
    assert f"Fingerprint of the box:     {of_the_box}" in said
    assert of_the_box in greffier("central", "sites", "--dir", lyon.folder)
    (target,) = knows(box)
    assert target == {"url": lyon.url}
    (home,) = (box / "replication").iterdir()
    assert home.name == ours[:16]
    assert all(path.stat().st_mode & 0o077 == 0 for path in home.iterdir())


def test_who_waits_sees_the_box_that_came(lyon: Place, box: Path) -> None:
    command = [GREFFIER, "central", "enrol", "--dir", str(lyon.folder), "--site", "Wharf", "--wait", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout
        code = json.loads(waiting.stdout.readline())["code"]
        enrol(box, lyon.url, code, 0)
        shown = json.loads(waiting.stdout.readline())
        assert waiting.wait(timeout=30) == 0
    assert shown == {"enrolled": site_of(box)}


def test_a_code_is_typed_as_people_type(lyon: Place, box: Path) -> None:
    code = code_of(lyon)
    enrol(box, lyon.url, code.lower().replace("-", " "), 0)


def test_a_code_is_good_for_one_box(lyon: Place, box: Path, tmp_path: Path) -> None:
    code = code_of(lyon)
    enrol(box, lyon.url, code, 0)
    other = new_box(tmp_path / "other")
    assert "does not take this code" in enrol(other, lyon.url, code, 10)
    assert knows(other) == []


def test_the_same_box_may_repeat_what_was_interrupted(lyon: Place, box: Path) -> None:
    """The answer was lost, or the disk was full when it was to be kept: the same again is right."""
    code = code_of(lyon)
    (box / "replication").write_text("in the way")
    enrol(box, lyon.url, code, 7)
    (box / "replication").unlink()
    enrol(box, lyon.url, code, 0)
    assert knows(box) == [{"url": lyon.url}]
    shown = json.loads(greffier("central", "sites", "--dir", lyon.folder, "--json"))
    mine = [site for site in shown["sites"] if site["site"] == site_of(box)]
    assert len(mine) == 1


def test_a_code_that_has_lapsed_is_refused(lyon: Place, box: Path) -> None:
    central = places.open(lyon.folder)
    try:
        code = enrolment.new_code(central, "Hotel du Port", {}, now_ns() - 3 * HOUR_NS, 2)
    finally:
        central.close()
    assert "has lapsed" in enrol(box, lyon.url, str(code), 10)


def test_a_wrong_secret_is_refused_and_the_right_one_still_good(lyon: Place, box: Path) -> None:
    code = code_of(lyon)
    wrong = ("A" if code[0] != "A" else "B") + code[1:]
    assert "does not take this code" in enrol(box, lyon.url, wrong, 10)
    assert knows(box) == []
    enrol(box, lyon.url, code, 0)


@pytest.mark.parametrize("code", ["", "abc", "A" * 31, "A" * 33, "1" * 32, "AAAA-" * 8 + "=", "é" * 32])
def test_what_is_no_code_is_not_sent_anywhere(box: Path, code: str) -> None:
    assert "32 letters and digits" in enrol(box, "https://127.0.0.1:1", code, 2)


def test_another_central_than_the_codes_is_told_nothing(lyon: Place, lille: Place, box: Path) -> None:
    """The installer mistyped the address, or somebody stands between: nothing of the box goes there."""
    said = enrol(box, lille.url, code_of(lyon), 10)
    assert "is not the central that gave out this code" in said
    assert fingerprint_of(lille.folder) in said
    assert knows(box) == []
    assert "POST" not in lille.said()


def test_a_man_in_the_middle_who_shows_the_right_identity_is_told_nothing(
    lyon: Place, lille: Place, box: Path, tmp_path: Path
) -> None:
    """The identity is public, so anybody can show it; but not a certificate of the authority in it."""
    place = Place.new(tmp_path / "false", "False")
    (place.folder / "identity.json").write_bytes((lyon.folder / "identity.json").read_bytes())
    identity = (lyon.folder / "identity.json").read_bytes()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(identity)}\r\nConnection: close\r\n\r\n".encode()
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "identity").write_bytes(head + identity)
    tls = place.folder / "tls"
    command = ["openssl", "s_server", "-accept", str(place.port), "-HTTP", "-tls1_3"]
    command += ["-cert", str(tls / "server.pem"), "-key", str(tls / "server.key")]
    log = tmp_path / "heard"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT) as middle,
    ):
        try:
            await_port(place.port)
            said = enrol(box, place.url, code_of(lyon), 10)
            # The box is gone before the server has read what it was told.
            wait_for(lambda: b"alert" in log.read_bytes(), 20, "the server to be told why")
        finally:
            middle.kill()
    assert "is not the central that this box was enrolled with" in said
    assert log.read_bytes().count(b"FILE:v1/identity") == 1
    assert knows(box) == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80", "127.0.0.1:443", "ftp://a", "https://", "https://a b"]
)
def test_only_https_is_an_address(box: Path, lyon: Place, url: str) -> None:
    assert "https://HOST" in enrol(box, url, code_of(lyon), 10)


def test_nobody_there_is_one_sentence(box: Path, lyon: Place) -> None:
    port = free_port()
    assert "does not answer" in enrol(box, f"https://127.0.0.1:{port}", code_of(lyon), 10)


def test_another_url_of_the_same_central_replaces_the_first(box: Path, lyon: Place) -> None:
    enrol(box, lyon.url, code_of(lyon), 0)
    enrol(box, lyon.url + "/", code_of(lyon), 0)
    assert knows(box) == [{"url": lyon.url}]


def test_two_centrals_are_two(box: Path, lyon: Place, lille: Place) -> None:
    enrol(box, lyon.url, code_of(lyon), 0)
    enrol(box, lille.url, code_of(lille), 0)
    assert sorted(target["url"] for target in knows(box)) == sorted([lyon.url, lille.url])


def test_it_goes_through_the_sites_proxy_and_nowhere_else(box: Path, lyon: Place) -> None:
    with Proxy() as proxy:
        enrol(box, lyon.url, code_of(lyon), 0, "--proxy", proxy.url)
        asked = list(proxy.asked)
    assert asked == [f"CONNECT 127.0.0.1:{lyon.port} HTTP/1.1"] * 2
    said = enrol(box, lyon.url, code_of(lyon), 10, "--proxy", proxy.url)
    assert "the proxy" in said


class Proxy:
    """An HTTP proxy that connects to where it is asked to, and notes what it was asked."""

    def __enter__(self) -> "Proxy":
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(timeout=10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,)))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        with client:
            while b"\r\n\r\n" not in head:
                head += client.recv(1024)
            line = head.partition(b"\r\n")[0].decode("ascii")
            self.asked.append(line)
            host, _, port = line.split()[1].rpartition(":")
            with socket.create_connection((host, int(port)), timeout=10) as central:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pump, args=(central, client))
                back.start()
                pump(client, central)
                back.join(timeout=10)


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_central_keeps_no_secret_of_a_code_that_was_used(lyon: Place, box: Path) -> None:
    code = code_of(lyon)
    enrol(box, lyon.url, code, 0)
    central = places.open(lyon.folder)
    try:
        rows = Code.select().where(Code.used_by == site_of(box)).execute(central.database)
        assert [row.secret for row in rows] == [None]
    finally:
        central.close()


def test_terms_are_the_laws_or_longer(lyon: Place) -> None:
    enrol_at = ["central", "enrol", "--dir", str(lyon.folder), "--site", "Hotel du Port"]
    said = json.loads(greffier(*enrol_at, "--term", "traffic=2", "--json"))
    assert said["term_years"] == {"traffic": 2, "source": 1}
    for term, code in (("traffic=0", 11), ("traffic=11", 11), ("cake=2", 11), ("traffic", 2), ("=", 2)):
        greffier(*enrol_at, "--term", term, expect=code)


def test_the_overview_names_every_verb_and_each_explains_itself() -> None:
    overview = greffier("central", "--help")
    verbs = re.findall(r"^  (\w+) {2,}\S", overview.partition("verbs:")[2], re.MULTILINE)
    assert {"init", "serve", "enrol", "sites"} <= set(verbs)
    here = Path(__file__).parents[2] / "appliance" / "cli" / "central"
    for verb in verbs:
        assert (here / f"{verb}.py").is_file()
        with pytest.raises(SystemExit, match="0"):
            greffier("central", verb, "--help")
        assert (
            f"greffier central {verb} " in importlib.import_module(f"appliance.cli.central.{verb}").EXAMPLES
        )
    for wrong in (["central", "fly"], ["central", "--fly"]):
        assert "init" in greffier(*wrong, expect=2)
