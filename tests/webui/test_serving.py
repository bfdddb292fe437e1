"""The page as it is started: TLS, its certificate, the code on the console, the keeper that comes with it."""

import re
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.boxes import GREFFIER


@contextmanager
def page(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`greffier web` for a home that is to be; with it the lines up to the code, or the address."""
    command = [GREFFIER, "web", "--home", folder / "box", "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        said = ""
        try:
            while "https://" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            if "--setup-code-file" not in options:
                said += process.stdout.readline()
            yield process, said
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def address(said: str) -> tuple[str, int]:
    found = re.search(r"https://(\S+):(\d+)", said)
    assert found
    return found[1], int(found[2])


def children(pid: int) -> list[int]:
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(word) for word in done.stdout.split()]


def test_it_begins_with_a_code_on_the_console_and_ends_with_all_it_started(tmp_path: Path) -> None:
    with page(tmp_path) as (process, said):
        code = re.search(r"asks for this code: ([A-Z2-9]{4}-[A-Z2-9]{4})$", said.strip())
        assert code
        host, port = address(said)
        trusted = ssl.create_default_context(cafile=str(tmp_path / "box-web/tls/ca.pem"))
        url = f"https://{host}:{port}/setup"
        with urllib.request.urlopen(
            url, context=trusted, timeout=20
        ) as answer:  # the name and chain are checked
            shown = answer.read().decode()
        assert code[1] not in shown
        assert not (tmp_path / "box").exists(), "nothing of a home is made before somebody sets it up"
        started = [process.pid, *children(process.pid)]
        assert len(started) > 2
    until_s = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < until_s, "a process is left"
        time.sleep(0.05)


def test_the_code_of_the_label_counts_and_is_not_printed(tmp_path: Path) -> None:
    label = tmp_path / "label"
    label.write_text("ABCD-EFGH-2345\n")
    with page(tmp_path, "--setup-code-file", str(label)) as (_, said):
        assert "ABCD" not in said


@pytest.mark.parametrize(
    ("written", "why"), [("short\n", "fewer than 8"), ("", "fewer than 8"), (None, "cannot read")]
)
def test_a_label_without_a_code_is_refused(tmp_path: Path, written: str | None, why: str) -> None:
    label = tmp_path / "label"
    if written is not None:
        label.write_text(written)
    command = [GREFFIER, "web", "--home", str(tmp_path / "box"), "--setup-code-file", str(label)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert why in done.stderr


def test_openssl_gets_tls_1_3_and_nothing_older(tmp_path: Path) -> None:
    with page(tmp_path) as (_, said):
        host, port = address(said)
        asked = [
            "openssl",
            "s_client",
            "-connect",
            f"{host}:{port}",
            "-CAfile",
            tmp_path / "box-web/tls/ca.pem",
        ]
        for version, works in (("-tls1_3", True), ("-tls1_2", False), ("-tls1_1", False)):
            done = subprocess.run([*asked, version], input="", capture_output=True, text=True, timeout=30)
            assert (done.returncode == 0 and "Verification: OK" in done.stdout) == works, version


def test_a_port_that_is_taken_is_a_sentence_and_leaves_no_keeper(tmp_path: Path) -> None:
    with page(tmp_path) as (_, said):
        _, port = address(said)
        other = [GREFFIER, "web", "--home", str(tmp_path / "other"), "--listen", f"127.0.0.1:{port}"]
        done = subprocess.run(other, capture_output=True, text=True, timeout=60)
        assert done.returncode == 9
        assert "Address already in use" in done.stderr
        assert "Traceback" not in done.stderr
    left = subprocess.run(["pgrep", "-f", str(tmp_path / "other")], capture_output=True, text=True)
    assert left.stdout == ""
