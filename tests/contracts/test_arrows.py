"""The arrows between the rooms hold, and each contract that says so can fail."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = "The page reaches the keeper's socket"
LAYERS = "Arrows run downwards only"
SEEN_AND_TOLD = "What is seen and what is told"
PURE = "Pure rooms take values"
RECORDING = "What records, checks and destroys cannot reach unsealing"
CUSTODIANS = "Only the verbs that custodians run"
BY_NAME = "No room imports by a name"
CONTRACTS = (LAYERS, PAGE, SEEN_AND_TOLD, PURE, RECORDING, CUSTODIANS, BY_NAME)


def broken_contracts(tree: Path) -> set[str]:
    """The first words of the contracts that import-linter finds broken in a tree."""
    tool = Path(sys.executable).with_name("lint-imports")
    wide = os.environ | {"COLUMNS": "300"}  # a name is wrapped otherwise
    done = subprocess.run([tool, "--no-cache"], cwd=tree, capture_output=True, text=True, env=wide)
    broken = {line.partition(" BROKEN")[0] for line in done.stdout.splitlines() if " BROKEN" in line}
    assert done.returncode == (1 if broken else 0), done.stdout + done.stderr
    return {contract_of(name) for name in broken}


def contract_of(name: str) -> str:
    """Which of the contracts has this name; it is an error if none has."""
    (found,) = [known for known in CONTRACTS if name.startswith(known)]
    return found


def written() -> dict[str, dict[str, Any]]:
    """The contracts as they stand in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return {contract_of(contract["name"]): contract for contract in settings["contracts"]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code that a test may spoil."""
    for package in ("appliance", "webui"):
        ignored = shutil.ignore_patterns("__pycache__", "static", "locale")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_code_as_it_is_keeps_every_contract(tree: Path) -> None:
    assert broken_contracts(tree) == set()


def test_every_contract_is_one_that_is_shown_to_fail() -> None:
    (marks,) = [mark for mark in test_a_forbidden_import_is_found.pytestmark if mark.name == "parametrize"]
    assert set().union(*(expected for *_, expected in marks.args[1])) == set(CONTRACTS) == set(written())


def test_no_verb_and_no_room_is_left_out() -> None:
    """A verb or a room that is new stands in the lists, or among those that may unseal."""
    sources = set(written()[RECORDING]["source_modules"])
    may_unseal = set(written()[CUSTODIANS]["allowed_importers"])
    folder = ROOT / "appliance" / "cli"
    verbs = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in folder.rglob("*.py")}
    verbs = {verb for verb in verbs if not verb.endswith("__")}
    begins_any = {"appliance.cli.main"}
    assert verbs - sources == may_unseal | begins_any
    rooms = {room.strip() for layer in written()[LAYERS]["layers"] for room in layer.split("|")} - {"cli"}
    listed = {f"appliance.{room}" for room in rooms} | {"webui"}
    assert listed - sources == {"appliance.vault"}  # unsealing is in it, and protected by the other contract
    assert set(written()[BY_NAME]["source_modules"]) == listed


def test_what_calls_itself_pure_on_the_page_is_held_to_it() -> None:
    code = {path: ast.get_docstring(ast.parse(path.read_text())) for path in (ROOT / "webui").rglob("*.py")}
    pure = {path for path, says in code.items() if re.search(r"\bPure[.:;,]", says or "")}
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in pure}
    assert modules == {name for name in written()[PURE]["source_modules"] if name.startswith("webui.")}


@pytest.mark.parametrize(
    ("file", "line", "expected"),
    [
        ("vault/segments.py", "import appliance.services.mirror.recorder", {LAYERS, SEEN_AND_TOLD}),
        ("cupboard/__init__.py", "", {LAYERS}),
        ("wire/decode.py", "import socket", {PURE}),
        ("feeds/told.py", "import ssl", {PURE}),
        ("feeds/told.py", "import hmac", {PURE}),
        ("retention/policy.py", "import time", {PURE}),
        ("statistics/distinct.py", "import secrets", {PURE}),
        ("cli/statistics.py", "import appliance.cli.asking", {RECORDING}),
        ("retention/destruction.py", "import appliance.statistics.files", {LAYERS}),
        ("classify/glance.py", "import cryptography", {PURE}),
        ("classify/names.py", "import appliance.flows.meter", {LAYERS}),
        ("cli/record.py", "import appliance.cli.search", {RECORDING}),
        ("cli/retention.py", "import appliance.cli.asking", {RECORDING}),
        (
            "services/mirror/recorder.py",
            "from appliance.vault.unseal import custody",
            {RECORDING, CUSTODIANS},
        ),
        ("vault/writer.py", "import appliance.vault.unseal.custody", {RECORDING, CUSTODIANS}),
        ("vault/seals.py", "import importlib", {BY_NAME}),
        ("central/silence.py", "import time", {PURE}),
        ("central/web.py", "import appliance.services.central.keeper", {LAYERS}),
        ("central/standing.py", "from appliance.vault.unseal import custody", {RECORDING, CUSTODIANS}),
        ("cli/central/serve.py", "import appliance.cli.asking", {RECORDING}),
        ("replication/missing.py", "import socket", {PURE}),
        ("control/messages.py", "import socket", {PURE}),
        ("supervision/findings.py", "import os", {PURE}),
        ("retention/legal/calendar.py", "import pathlib", {PURE}),
        ("audit/book.py", "from appliance.vault.unseal import custody", {RECORDING, CUSTODIANS}),
        ("audit/book.py", "import importlib", {BY_NAME}),
        ("cli/web.py", "import appliance.cli.asking", {RECORDING}),
        ("services/feeds/gate.py", "import appliance.services.mirror.recorder", {SEEN_AND_TOLD}),
        ("supervision/findings.py", "import psutil", {PURE}),
        ("supervision/findings.py", "import appliance.runtime.clock", {PURE}),
        ("services/keeping/overview.py", "import appliance.cli.asking", {LAYERS, RECORDING}),
        ("../webui/guard.py", "import appliance.vault.names", {PAGE}),
        ("../webui/pages/overview.py", "import appliance.statistics.files", {PAGE}),
        ("../webui/pages/about.py", "import importlib", {BY_NAME}),
        ("../webui/formats.py", "import appliance.runtime.clock", {PURE}),
    ],
)
def test_a_forbidden_import_is_found(tree: Path, file: str, line: str, expected: set[str]) -> None:
    spoiled = tree / "appliance" / file
    spoiled.parent.mkdir(exist_ok=True)
    with spoiled.open("a") as code:
        code.write(f"\n{line}\n")
    assert broken_contracts(tree) == expected


def test_a_recording_process_has_loaded_nothing_that_unseals() -> None:
    program = (
        "import sys, appliance.cli.record, appliance.services.mirror.recorder; print(*sys.modules, sep='\\n')"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert "appliance.services.mirror.recorder" in loaded.splitlines()
    assert not [name for name in loaded.splitlines() if "unseal" in name]
