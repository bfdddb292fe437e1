"""Custodians' key files: what `age` makes of them."""

import datetime as dt
import os
import pty
import stat
import subprocess
from pathlib import Path

import pytest

from appliance.model.errors import CustodyError, UsageError
from appliance.runtime.custodian_keys import check_recipient
from appliance.vault.custodians import encrypt_to, new_key_file
from appliance.vault.unseal.custody import open_identities

MOMENT = dt.datetime(2026, 3, 14, tzinfo=dt.UTC)


def age_at_a_terminal(arguments: list[str], typed: str) -> int:
    """Age asks for a passphrase on its terminal only: give it one."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("age", ["age", *arguments])
    os.read(terminal, 1024)
    os.write(terminal, typed.encode() + b"\n")
    with open(terminal, "rb", buffering=0) as screen:
        try:
            while screen.read(1024):
                pass
        except OSError:
            pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_age_reads_the_key_file_and_opens_what_was_encrypted_to_it(tmp_path: Path) -> None:
    recipient = new_key_file(tmp_path / "alice.key", None, MOMENT)
    shown = subprocess.run(
        ["age-keygen", "-y", tmp_path / "alice.key"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == recipient
    (tmp_path / "sealed").write_bytes(encrypt_to(recipient, b"for alice"))
    opened = subprocess.run(
        ["age", "-d", "-i", tmp_path / "alice.key", tmp_path / "sealed"], capture_output=True
    )
    assert opened.stdout == b"for alice"


def test_a_key_made_by_age_keygen_is_a_custodians_key(tmp_path: Path) -> None:
    subprocess.run(["age-keygen", "-o", tmp_path / "bob.key"], capture_output=True, check=True)
    shown = subprocess.run(
        ["age-keygen", "-y", tmp_path / "bob.key"], capture_output=True, text=True, check=True
    )
    assert list(open_identities([tmp_path / "bob.key"]).by_recipient) == [check_recipient(shown.stdout)]


def test_the_key_file_is_the_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    new_key_file(path, None, MOMENT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(UsageError, match="already there"):
        new_key_file(path, None, MOMENT)
    assert path.read_bytes() == before


def test_age_opens_a_key_file_under_its_passphrase(tmp_path: Path) -> None:
    locked, opened = tmp_path / "alice.key", tmp_path / "opened"
    recipient = new_key_file(locked, "correct horse", MOMENT)
    assert b"AGE-SECRET-KEY" not in locked.read_bytes()
    assert age_at_a_terminal(["-d", "-o", str(opened), str(locked)], "correct horse") == 0
    shown = subprocess.run(["age-keygen", "-y", opened], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == recipient


def test_a_key_file_opens_with_its_passphrase_and_with_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipient = new_key_file(tmp_path / "alice.key", "correct horse", MOMENT)
    (tmp_path / "right").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery staple\n")
    found = open_identities([tmp_path / "alice.key"], [tmp_path / "wrong", tmp_path / "right"])
    assert list(found.by_recipient) == [recipient]
    monkeypatch.setattr("getpass.getpass", lambda prompt: "guess")
    with pytest.raises(CustodyError, match="passphrase"):
        open_identities([tmp_path / "alice.key"], [tmp_path / "wrong"])


@pytest.mark.parametrize("content", [b"", b"hello", b"# only a comment\n", b"\xff\xfe\x00"])
def test_a_file_that_is_no_key_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.key").write_bytes(content)
    with pytest.raises(CustodyError, match="not a custodian's key file"):
        open_identities([tmp_path / "no.key"])


def test_a_mistyped_public_key_is_noticed(tmp_path: Path) -> None:
    recipient = new_key_file(tmp_path / "alice.key", None, MOMENT)
    wrong = recipient[:-1] + ("q" if recipient[-1] != "q" else "p")
    with pytest.raises(CustodyError, match="not a custodian's public key"):
        check_recipient(wrong)
