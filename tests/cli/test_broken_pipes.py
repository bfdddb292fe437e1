"""`greffier` when nobody hears it: what it says is lost, what it does is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.services.recording.signals import stop_on_signals
from tests.cli.test_custody_verbs import greffier, home

__all__ = ["greffier", "home"]


def run(arguments: list[object], stdout: int, stderr: int) -> int:
    """The exit code of a `greffier` with these ends."""
    command = [sys.executable, "-m", "appliance.cli", *map(str, arguments)]
    return subprocess.run(command, stdout=stdout, stderr=stderr, timeout=60).returncode


@pytest.fixture
def pipe_without_reader() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_a_complaint_that_nobody_reads_changes_no_exit_code(home: Path, pipe_without_reader: int) -> None:
    nowhere = ["record", "--home", home, "--interface", "nowhere0"]
    assert run(nowhere, subprocess.DEVNULL, pipe_without_reader) == 6
    with open("/dev/full", "w") as full:
        assert run(nowhere, subprocess.DEVNULL, full.fileno()) == 6


def test_closing_words_that_nobody_reads_change_nothing(home: Path, pipe_without_reader: int) -> None:
    noise = home / "noise.pcap"
    noise.write_bytes(b"this is no capture")
    for end in (pipe_without_reader, os.open("/dev/full", os.O_WRONLY)):
        assert run(["record", "--home", home, noise], end, end) == 6, "the recording's own code"
    assert run(["status", "--home", home], pipe_without_reader, subprocess.DEVNULL) == 0


def test_a_broken_pipe_that_is_not_our_stdout_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from appliance.cli import main

    def fail(arguments: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(main, "_dispatch", fail)
    assert main.main(["record"]) == 3
    assert "unexpected BrokenPipeError" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_to_stop_in_order(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stopping:
        os.kill(os.getpid(), number)
        assert stopping.wait(1)
    assert signal.getsignal(number) is before


def test_what_was_started_to_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stopping:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stopping.wait(0.1)
    finally:
        signal.signal(signal.SIGHUP, before)
