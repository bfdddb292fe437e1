"""Somebody has taken the page's process over: its user, mounts and socket. He gets at no record, no key."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from appliance.control import messages
from appliance.control.client import Client
from appliance.control.messages import Actor, Answer, Ask, Refused
from tests.system.boxes import GREFFIER, ROOT, make_box
from tests.system.mounts import in_own_mounts, mount
from tests.system.networks import may_make
from tests.system.test_secrecy import CAPTURES, NETWORKS, address_forms
from tests.system.test_units import settings

KEEPER, PAGE, STRANGER = 61001, 61002, 61003
HOME, STATE, RUN = Path("/var/lib/greffier"), Path("/var/lib/greffier-web"), Path("/run/greffier")

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to be other users, with other mounts")

WALK = """
import os, sys
opened = []
for top in sys.argv[1:]:
    for folder, folders, names in os.walk(top):
        for name in names:
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    file.read(1)
            except OSError:
                continue
            opened.append(os.path.join(folder, name))
    opened += [os.path.join(top, name) for name in os.listdir(top)] if os.access(top, os.R_OK) else []
print("\\n".join(opened))
"""
"""Everything below some folders that can be opened, or at least listed."""

REACH = """
import os, sys
pid = int(sys.argv[1])
for what in (lambda: open(f"/proc/{pid}/mem", "rb").close(), lambda: os.listdir(f"/proc/{pid}/fd"),
             lambda: open(f"/proc/{pid}/environ", "rb").read(), lambda: os.kill(pid, 0)):
    try:
        what()
    except OSError:
        continue
    print("reached")
"""

QUESTIONS: tuple[Ask, ...] = (
    messages.AskOverview(),
    messages.AskLive(),
    messages.AskActivity(messages.Period.HOUR, "2000-01-01", "2030-12-31"),
    messages.AskActivity(messages.Period.DAY, "2000-01-01", "2030-12-31"),
    messages.AskSources(),
    messages.AskCoverage("2000-01-01", "2030-12-31"),
    messages.AskPresent(),
    messages.AskRetention(),
    *(messages.AskCertificate(seq) for seq in range(12)),
    messages.AskReplication(),
    messages.AskAudit(None, 500),
    messages.AskBox(),
    messages.AskTests(),
    messages.PlaceHold("order 1", ("traffic", "source"), "2020-01-01", "2029-12-31", "2030-12-31"),
    messages.NoteStep("sign-in", "../../segments"),
    messages.ForgetSource("../box.key"),
    messages.SetUp("another", ("10.0.0.0/8",), (), 1),
)


def as_user(number: int, *command: str | Path, group: int | None = None) -> list[str]:
    groups = "--clear-groups" if group is None else f"--groups={group}"
    rights = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--pdeathsig=KILL"]
    return ["setpriv", f"--reuid={number}", f"--regid={number}", groups, *rights, "--", *map(str, command)]


@dataclass(frozen=True)
class World:
    """A box that has recorded, its keeper at work as a user, and the page's folder of another."""

    home: Path
    state: Path
    run: Path
    keeper: subprocess.Popen[bytes]

    @property
    def socket(self) -> Path:
        return self.run / "control.sock"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    box = make_box(tmp_path_factory.mktemp("made"), NETWORKS)
    box.run("record", *CAPTURES)
    top = Path(tempfile.mkdtemp(prefix="greffier-page-"))
    top.chmod(0o755)
    home, state, run = top / "home", top / "state", top / "run"
    shutil.copytree(box.home, home)
    for folder, owner in ((home, KEEPER), (state, PAGE), (run, KEEPER)):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755 if folder == run else 0o700)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner)
    options = ["--home", home, "--control", run / "control.sock", "--page-user", str(PAGE)]
    keeper = subprocess.Popen(as_user(KEEPER, GREFFIER, "keeper", *options), cwd=ROOT)
    try:
        until_s = time.monotonic() + 20
        while not (run / "control.sock").exists():
            assert keeper.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.05)
        yield World(home, state, run, keeper)
    finally:
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(timeout=20)
        shutil.rmtree(top)


def said_by(number: int, program: str, *arguments: str | Path) -> str:
    command = as_user(number, sys.executable, "-c", program, *arguments)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_user_can_open_nothing_of_the_home_even_where_it_is_in_sight(world: World) -> None:
    assert said_by(PAGE, WALK, world.home).split() == []
    assert f"{world.home}/box.key" in said_by(KEEPER, WALK, world.home).split(), "the walk itself is blind"


def test_with_the_mounts_of_its_unit_the_home_is_not_there(world: World) -> None:
    """The unit's own lines, laid as systemd lays them."""
    unit = settings("greffier-web.service")
    assert unit["User"] == ["greffier-web"]
    assert unit["TemporaryFileSystem"] == ["/var/lib:ro"]
    assert unit["StateDirectory"] == [STATE.name]
    assert unit["PrivateTmp"] == unit["ProtectHome"] == ["yes"]
    assert unit["ProtectSystem"] == ["strict"]
    seen: list[str] = []

    def look() -> None:
        hold = Path(tempfile.mkdtemp(prefix="greffier-hold-"))
        try:
            mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(hold))
            for name, source in (("state", world.state), ("run", world.run)):
                (hold / name).mkdir()
                mount("--bind", str(source), str(hold / name))
            mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/lib")
            mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
            RUN.mkdir()
            STATE.mkdir()
            mount("--move", str(hold / "state"), str(STATE))
            mount("--move", str(hold / "run"), str(RUN))
            mount("-t", "tmpfs", "tmpfs", str(world.home.parent))
            mount("-o", "remount,ro", "/var/lib")
            program = (
                "import os; print(os.getuid(), *os.listdir('/var/lib'), os.path.exists('/var/lib/greffier'))"
            )
            seen.append(said_by(PAGE, program).strip())
            ask = (
                "from pathlib import Path; from appliance.control.client import Client; "
                "from appliance.control.messages import *; "
                f"print(Client(Path('{RUN}/control.sock')).ask(Actor('', '', 'page'), AskBox()).site)"
            )
            seen.append(said_by(PAGE, ask).strip())
            seen.append(said_by(PAGE, WALK, "/var/lib", world.home.parent).strip())
        finally:
            subprocess.run(["umount", "-l", str(hold)], check=False)
            hold.rmdir()

    in_own_mounts(look)
    assert seen == [f"{PAGE} {STATE.name} False", "Test", str(STATE)]


def test_it_can_reach_neither_the_keepers_memory_nor_its_files_nor_end_it(world: World) -> None:
    assert said_by(PAGE, REACH, str(world.keeper.pid)) == ""
    assert said_by(KEEPER, REACH, str(world.keeper.pid)) != "", "the reach itself is blind"
    assert world.keeper.poll() is None


def test_whatever_it_asks_no_answer_holds_an_address_that_was_recorded(world: World) -> None:
    """Everything there is to ask, changes among it, as the page's user."""
    program = (
        "import sys, msgspec; from pathlib import Path; from appliance.control.client import Client; "
        "from appliance.control.messages import *\n"
        "client = Client(Path(sys.argv[1]))\n"
        "for line in sys.stdin.buffer:\n"
        "    question = msgspec.json.decode(line, type=Ask)\n"
        "    answer = client.ask(Actor('anybody', 'operator', '192.0.2.1'), question)\n"
        "    print(msgspec.json.encode(answer).decode())\n"
    )
    asked = b"".join(msgspec.json.encode(question) + b"\n" for question in QUESTIONS)
    command = as_user(PAGE, sys.executable, "-c", program, world.socket)
    done = subprocess.run(command, cwd=ROOT, input=asked, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answers = [msgspec.json.decode(line, type=Answer) for line in done.stdout.splitlines()]
    assert len(answers) == len(QUESTIONS)
    reading = [
        answer for question, answer in zip(QUESTIONS, answers, strict=True) if not _may_refuse(question)
    ]
    assert [answer for answer in reading if isinstance(answer, Refused)] == []
    texts = {
        form for forms in address_forms().values() for form in forms if len(form) >= 7 and form.isascii()
    }
    assert {form for form in texts if form in done.stdout} == set()


def _may_refuse(question: Ask) -> bool:
    """Lines that are no certificate, and changes: some of these must not be taken."""
    return isinstance(
        question, messages.AskCertificate | messages.ForgetSource | messages.SetUp | messages.NoteStep
    )


def test_a_set_up_box_is_not_set_up_again(world: World) -> None:
    before = (world.home / "box.toml").read_bytes(), (world.home / "box.key").read_bytes()
    asked = messages.SetUp("another", ("10.0.0.0/8",), (), 1)
    assert isinstance(Client(world.socket).ask(Actor("", "", ""), asked), Refused)
    assert ((world.home / "box.toml").read_bytes(), (world.home / "box.key").read_bytes()) == before


def test_another_user_of_the_machine_is_not_answered(world: World) -> None:
    program = (
        "import sys; from pathlib import Path; from appliance.control.client import Client; "
        "from appliance.control.messages import *; from appliance.model.errors import ControlError\n"
        "try:\n    print(Client(Path(sys.argv[1]), 5).ask(Actor('', '', ''), AskBox()))\n"
        "except ControlError as error:\n    print('nothing')\n"
    )
    assert said_by(STRANGER, program, world.socket).strip() == "nothing"


def test_its_process_has_loaded_nothing_that_knows_a_vault() -> None:
    program = "import sys, appliance.cli.web, webui.serving; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "webui.app" in loaded
    rooms = ("vault", "capture", "retention", "replication", "central", "services", "audit", "statistics")
    assert [name for name in loaded if name.startswith(tuple(f"appliance.{room}" for room in rooms))] == []
