"""`greffier setup`: a box and its first account out of one file, and nothing at all out of a wrong one."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pyotp
import pytest

from appliance.config import box as box_settings
from appliance.config.set_up import read
from appliance.model.errors import UsageError
from appliance.runtime import clock
from tests.system.boxes import GREFFIER, greffier
from webui.accounts import factors, opened
from webui.rights import Role

FIRST = "age18txuejnn9k4n7u8nhq0k6h0ahcr483984vdj3wwm63m9sk6hd58sx06x50"
PASSWORD = "girafe-moulin-9-tabouret-lune"
FILE = """
site = "Hôtel du Port"
client_networks = ["192.168.10.7/24", "2001:db8::/48"]
interfaces = ["mirror0"]
access_points = ["02:ca:fe:00:00:01"]
[custody]
custodians = ["{first}", "{second}"]
[administrator]
name = "Élodie Roy"
password_file = "password.txt"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keys = [greffier("custodian", "new", "--out", tmp_path / f"{name}.key").strip() for name in ("a", "b")]
    (tmp_path / "password.txt").write_text(f"{PASSWORD}\n")
    path = tmp_path / "hotel.toml"
    path.write_text(FILE.format(first=keys[0], second=keys[1]))
    return path


def test_a_box_and_an_account_out_of_one_file(file: Path, tmp_path: Path) -> None:
    said = json.loads(greffier("setup", "--home", tmp_path / "box", file, "--json"))
    config = box_settings.read(tmp_path / "box" / "box.toml")
    assert (config.site, config.quorum, len(config.custodians)) == ("Hôtel du Port", 2, 2)
    assert config.client_networks == ("192.168.10.0/24", "2001:db8::/48")
    assert config.capture.interfaces == ("mirror0",)
    assert config.statistics.access_points == ("02:ca:fe:00:00:01",)
    accounts = opened.open(tmp_path / "box-web", clock.now_ns)
    try:
        account = accounts.users.named("élodie roy")
        assert account is not None
        assert account.role is Role.OPERATOR
        assert accounts.client() == "Hôtel du Port"
        phone = pyotp.parse_uri(said["factor"])
        assert factors.matching_step(phone.secret, phone.now(), clock.now_ns()) is not None
        assert accounts.users.use_recovery_code(account.id, said["recovery_codes"][0])
    finally:
        accounts.close()
    steps = json.loads(greffier("audit", "--home", tmp_path / "box", "--json"))
    assert "set-up" in json.dumps(steps)


def test_a_running_keeper_makes_the_home(file: Path, tmp_path: Path) -> None:
    socket = tmp_path / "control.sock"
    keeper = subprocess.Popen([GREFFIER, "keeper", "--home", tmp_path / "box", "--control", socket])
    try:
        greffier_when_there(socket, "setup", "--home", tmp_path / "elsewhere", "--control", socket, file)
    finally:
        keeper.terminate()
        keeper.wait(timeout=30)
    assert (tmp_path / "box" / "box.toml").is_file()
    assert not (tmp_path / "elsewhere").exists()


def greffier_when_there(socket: Path, *arguments: str | Path) -> str:
    from tests.system.warm import wait_for

    wait_for(socket.is_socket, 30, "the keeper")
    return greffier(*arguments)


def test_a_keeper_that_was_named_and_is_not_there_is_an_error(file: Path, tmp_path: Path) -> None:
    greffier("setup", "--home", tmp_path / "box", "--control", tmp_path / "none", file, expect=12)
    assert not (tmp_path / "box").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to have a folder of another user")
def test_what_root_sets_up_belongs_to_the_page(file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    os.chown(state, 65_534, 65_534)
    tmp_path.chmod(0o711)
    for parent in tmp_path.parents:
        if parent.is_relative_to(tempfile.gettempdir()) and parent != Path(tempfile.gettempdir()):
            parent.chmod(parent.stat().st_mode | 0o011)
    greffier("setup", "--home", tmp_path / "box", "--state", state, file)
    assert {path.stat().st_uid for path in state.iterdir()} == {65_534}
    assert (tmp_path / "box" / "box.toml").stat().st_uid == 0


def test_what_is_set_up_is_not_set_up_again(file: Path, tmp_path: Path) -> None:
    greffier("setup", "--home", tmp_path / "box", file)
    before = (tmp_path / "box" / "chain.jsonl").read_bytes()
    greffier("setup", "--home", tmp_path / "box", file, expect=2)
    greffier("setup", "--home", tmp_path / "box", "--state", tmp_path / "other", file, expect=2)
    assert (tmp_path / "box" / "chain.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("site = ", "sight = ", "sight"),
        ('site = "Hôtel du Port"', 'site = " "', "site"),
        ('"2001:db8::/48"', '"nonsense"', "nonsense"),
        ('"2001:db8::/48"', '"::/0"', "client_networks: ::/0"),
        ("[custody]", "[custody]\nquorum = 3", "quorum"),
        ("[custody]", "[custody]\nquorum = 1", "quorum"),
        ('interfaces = ["mirror0"]', 'interfaces = ["a/b"]', "interfaces"),
        ('password_file = "password.txt"', 'password_file = "none.txt"', "none.txt"),
        ("[administrator]", "[administrator]\nrole = 'king'", "role"),
    ],
)
def test_a_file_that_cannot_be_meant_names_its_key(
    tmp_path: Path, line: str, instead: str, said: str
) -> None:
    (tmp_path / "password.txt").write_text(PASSWORD)
    text = FILE.format(first=FIRST, second=FIRST.replace("age18", "age17"))
    assert line in text
    path = tmp_path / "hotel.toml"
    path.write_text(text.replace(line, instead))
    with pytest.raises(UsageError, match=said):
        read(path)


@pytest.mark.parametrize(
    ("custodians", "said"),
    [
        (f'["{FIRST}"]', "two custodians"),
        (f'["{FIRST}", "{FIRST}"]', "twice"),
        (f'["{FIRST}", "AGE-SECRET-KEY-1QQQ"]', "private key"),
    ],
)
def test_custodians_that_are_none_are_refused(tmp_path: Path, custodians: str, said: str) -> None:
    (tmp_path / "password.txt").write_text(PASSWORD)
    text = FILE.format(first=FIRST, second="X")
    path = tmp_path / "hotel.toml"
    path.write_text(text.replace(f'["{FIRST}", "X"]', custodians))
    with pytest.raises(UsageError, match=said):
        read(path)


def test_a_password_that_would_be_guessed_makes_nothing(file: Path, tmp_path: Path) -> None:
    (tmp_path / "password.txt").write_text("password1234\n")
    greffier("setup", "--home", tmp_path / "box", file, expect=2)
    assert not (tmp_path / "box").exists()
