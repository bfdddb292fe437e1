"""A box as its users have it: custodians, a home, and the command `greffier` run on them."""

import contextlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GREFFIER = str(Path(sys.executable).with_name("greffier"))
ROOT = Path(__file__).parents[2]


def greffier(*arguments: str | Path, expect: int = 0) -> str:
    """Run a verb; its stdout. Any other exit code than `expect` fails the test with what was said."""
    done = subprocess.run([GREFFIER, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, f"greffier {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def custodian(out: Path) -> str:
    """Make a custodian's key; its public recipient."""
    said = greffier("custodian", "new", "--out", out)
    return next(word for word in said.split() if word.startswith("age1"))


@dataclass(frozen=True)
class Box:
    home: Path
    keys: tuple[Path, ...]

    @property
    def identities(self) -> list[str]:
        return [word for key in self.keys for word in ("--identity", str(key))]

    def run(self, verb: str, *arguments: str | Path, expect: int = 0) -> str:
        return greffier(verb, "--home", self.home, *arguments, expect=expect)

    def json(self, verb: str, *arguments: str | Path, expect: int = 0) -> dict[str, Any]:
        return dict(json.loads(self.run(verb, "--json", *arguments, expect=expect)))

    def search(self, *arguments: str) -> list[dict[str, Any]]:
        said = self.run("search", *self.identities, "--format", "jsonl", *arguments)
        return [json.loads(line) for line in said.splitlines()]

    def settings(self, **values: int) -> None:
        """Change settings of box.toml, as an installer would with an editor."""
        path = self.home / "box.toml"
        text = path.read_text()
        for name, value in values.items():
            text, changed = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
            assert changed == 1, f"box.toml has no setting {name}"
        path.write_text(text)

    def recorder(self) -> dict[str, Any]:
        """What the youngest recorder last said of itself."""
        told = self.recorders()
        return told[-1] if told else {}

    def recorders(self) -> list[dict[str, Any]]:
        """What every recorder last said of itself, the youngest at the end; not one that is just at it."""
        states = []
        for path in (self.home / "state").glob("recorder-*.json"):
            with contextlib.suppress(ValueError, FileNotFoundError):
                states.append(dict(json.loads(path.read_text())))
        return sorted(states, key=lambda state: str(state["started"]))

    def bytes_kept(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.home.rglob("*") if path.is_file()}


def make_box(folder: Path, networks: list[str], name: str = "box") -> Box:
    """A new box with two custodians, both of whom must come together."""
    keys = (folder / f"{name}-owner.key", folder / f"{name}-lawyer.key")
    custodians = [word for key in keys for word in ("--custodian", custodian(key))]
    return box_for(folder / name, keys, custodians, networks)


def box_for(home: Path, keys: tuple[Path, ...], custodians: list[str], networks: list[str]) -> Box:
    nets = [word for network in networks for word in ("--client-network", network)]
    greffier("init", "--home", home, "--site", "Test", *custodians, *nets)
    return Box(home, keys)
