"""What is declared is what is used; every file of it is pinned by hash; no licence contradicts ours."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lock: str) -> dict[str, str]:
    """Name to version, for every requirement of a lock file."""
    lines = (ROOT / lock).read_text().splitlines()
    return dict(
        re.match(r"([\w.-]+)==(\S+)", line).groups() for line in lines if re.match(r"[\w.-]+==", line)
    )


def imported(folder: str) -> set[str]:
    """Top-level modules that the files of a folder import."""
    names: set[str] = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(str(node.module).split(".")[0])
    return names - set(sys.stdlib_module_names)


def test_the_appliance_imports_what_it_declares_and_declares_what_it_imports() -> None:
    declared = {normal(re.match(r"[\w.-]+", each).group()) for each in PROJECT["project"]["dependencies"]}
    owners = packages_distributions()
    ours = {"appliance", "webui"}
    used = {normal(owners[name][0]) for folder in ours for name in imported(folder) - ours}
    # boto3 is the face of botocore, whose errors it raises, jinja2 of markupsafe, whose texts it escapes to;
    # peewee imports psycopg where it is wanted.
    assert used - {"botocore", "markupsafe"} | {"psycopg"} == declared


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_by_hash_and_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", requirement), requirement
    assert not re.search(r"https?:|file:|--(extra-)?index|--find-links", text)


def test_the_development_lock_holds_the_very_versions_that_run() -> None:
    run, develop = map(pinned, LOCKS)
    assert run.items() <= develop.items()


def test_what_is_installed_is_what_is_locked() -> None:
    for name, version in pinned("requirements.lock").items():
        assert distribution(name).version == version


def test_the_product_depends_on_nothing_that_is_gpl_2_only() -> None:
    assert "scapy" in pinned("requirements-dev.lock")
    assert "scapy" not in pinned("requirements.lock")
    for folder in ("appliance", "demo", "bench"):
        assert "scapy" not in imported(folder)
    for name in pinned("requirements.lock"):
        about = distribution(name).metadata
        said = [about.get("License-Expression"), about.get("License"), *(about.get_all("Classifier") or [])]
        assert not re.search(r"GPL-?(v|version)? ?2|GPLv2", " ".join(filter(None, said))), name


def test_scapy_runs_in_processes_of_its_own_that_say_their_licence() -> None:
    """Every script of the forge is a program on scapy; reading.py only runs them, and loads none of them."""
    runner = ROOT / "tests" / "forge" / "reading.py"
    forges = set(runner.parent.glob("*.py")) - {runner}
    assert forges
    assert runner.exists()
    names = "|".join(file.stem for file in forges)
    loads = rf"^\s*(from tests\.forge import .*\b({names})\b|(from|import) (tests\.forge\.)?({names})\b)"
    for file in ROOT.glob("tests/**/*.py"):
        text = file.read_text()
        if re.search(r"^\s*(from|import) scapy", text, re.MULTILINE):
            assert file in forges, f"{file} loads scapy into a process with code of another licence"
        if file not in forges:
            assert not re.search(loads, text, re.MULTILINE), f"{file} loads a program of another licence"
    for file in forges:
        assert file.read_text().startswith("# SPDX-License-Identifier: GPL-2.0-only\n")
        assert not re.search(r"^\s*(from|import) appliance", file.read_text(), re.MULTILINE)


def test_each_debian_package_is_probed_for_and_has_its_reason() -> None:
    lines = (ROOT / "debian-packages.txt").read_text().splitlines()
    for line in lines[2:]:
        section, package, probe, _ = re.match(r"(\S+)\s+(\S+)\s+(\S.*?)\s+# (.+)", line).groups()
        assert section in ("run", "demo", "test", "bench"), line
        assert package == package.lower(), line
        if section != "bench":  # `make test` has installed the others
            assert subprocess.run(["bash", "-c", probe], capture_output=True).returncode == 0, line
