"""The units in systemd/: what systemd itself says of them, and that they grant no more than they must."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
RESTARTER = "greffier-changed.service"
"""The one unit that is root's, and whose command is systemd's own."""
OURS = [unit for unit in UNITS if unit != RESTARTER]
GREFFIER = str(Path(sys.executable).with_name("greffier"))


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", (FOLDER / unit).read_text(), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def unit(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy that names the command as it lies here, since systemd looks whether it is there."""
    copy = tmp_path / request.param
    copy.write_text((FOLDER / request.param).read_text().replace("/usr/bin/greffier", GREFFIER))
    return copy


def systemd_analyze(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_systemd_understands_every_line(unit: Path) -> None:
    said = systemd_analyze("verify", "--man=no", unit)
    assert [line for line in said.splitlines() if unit.name in line] == []


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_a_line_that_systemd_does_not_know_would_be_noticed(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectTheHome=yes"))
    assert "ProtectTheHome" in systemd_analyze("verify", "--man=no", unit)


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_their_exposure_is_low(unit: Path) -> None:
    """By systemd's own count, from 0 (sealed off) to 10; a service that says nothing has 9.6.

    The recorder reads a raw interface and silences it: its two capabilities alone are half a point.
    """
    most = 25 if unit.name == "greffier-capture.service" else 20
    systemd_analyze("security", "--offline=true", f"--threshold={most}", unit)


@pytest.mark.parametrize("unit", OURS)
def test_the_command_line_is_one_that_exists(unit: str) -> None:
    (start,) = settings(unit)["ExecStart"]
    words = start.removeprefix("/usr/bin/greffier ").split()
    verb = words[: 2 if words[0] == "central" else 1]
    said = subprocess.run([GREFFIER, *verb, "--help"], capture_output=True, text=True, timeout=60).stdout
    for option in words:
        if option.startswith("--"):
            assert option in said


def test_a_unit_has_a_capability_only_for_its_port_or_its_ring() -> None:
    granted = {unit: settings(unit)["CapabilityBoundingSet"] for unit in UNITS}
    assert granted == {
        "greffier-capture.service": ["CAP_NET_RAW CAP_NET_ADMIN"],
        "greffier-central.service": ["CAP_NET_BIND_SERVICE"],
        "greffier-changed.service": [""],
        "greffier-keeper.service": ["CAP_NET_RAW"],
        "greffier-listen.service": ["CAP_NET_BIND_SERVICE"],
        "greffier-web.service": ["CAP_NET_BIND_SERVICE"],
        "greffier-replicate.service": [""],
    }


def test_what_is_started_by_a_path_or_restarted_is_there() -> None:
    paths = sorted(FOLDER.glob("*.path"))
    assert len(paths) == 3
    for path in paths:
        (unit,) = settings(path.name)["Unit"]
        assert unit in UNITS
        systemd_analyze("verify", "--man=no", path)
    (start,) = settings(RESTARTER)["ExecStart"]
    program, verb, *restarted = start.split()
    assert (program, verb) == ("/usr/bin/systemctl", "try-restart")
    assert set(restarted) <= set(OURS)


def test_the_users_are_those_that_sysusers_makes() -> None:
    made = re.findall(r"^u (\S+)", (FOLDER / "greffier.sysusers.conf").read_text(), re.MULTILINE)
    assert {settings(unit)["User"][0] for unit in OURS} <= set(made)
    assert shutil.which("systemd-sysusers")
    done = subprocess.run(
        ["systemd-sysusers", "--dry-run", str(FOLDER / "greffier.sysusers.conf")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
