"""Running `greffier` as a person would, with each command line shown."""

import shlex
import subprocess
import sys
from pathlib import Path

GREFFIER = str(Path(sys.executable).with_name("greffier"))


def show(arguments: list[str]) -> None:
    print(f"\n  $ greffier {shlex.join(arguments)}", flush=True)


def say(text: str) -> None:
    """What a command printed, set in under its command line."""
    print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)


def ask(folder: Path, *arguments: str) -> str:
    """What a verb prints, for the demonstration's own use: nothing is shown."""
    return subprocess.run(
        [GREFFIER, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def greffier(folder: Path, *arguments: str, quiet: bool = False, refused: bool = False) -> str:
    """Run a verb in a folder; shows the command line and, unless `quiet`, what it prints; returns stdout.

    `refused` tells that the command is expected to be refused; anything unexpected ends the demonstration.
    """
    show(list(arguments))
    done = subprocess.run([GREFFIER, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    shown = done.stderr if quiet else done.stdout + done.stderr
    say(shown)
    if (done.returncode != 0) != refused:
        raise SystemExit(f"the demonstration ends here: that was not expected (exit code {done.returncode})")
    return done.stdout
