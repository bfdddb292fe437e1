"""Serve the page on the LAN: how the box stands, over HTTPS, for whoever may sign in.

The page has a folder of its own beside the home (accounts, certificate, settings of the page) and reaches the
home through the keeper's socket alone. Where no keeper answers there, one is started with it, and ends with
it. Before the first set-up it shows the code that protects it.
"""

import argparse
import secrets
import subprocess
import sys
import time
from pathlib import Path

from appliance.cli.where import address_and_port
from appliance.model.errors import ControlError, UsageError

EXAMPLES = """  greffier web --home /var/lib/greffier
  greffier web --home box --listen 127.0.0.1:9443
  greffier web --home box --setup-code-file label.txt"""

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of the set-up code: none that is taken for another when it is read off a screen or a label."""

_KEEPER_WITHIN_S = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--home", type=Path, required=True, metavar="DIR", help="the home of the box, or to be"
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="the page's own folder (default: HOME-web)")
    parser.add_argument(
        "--control",
        type=Path,
        metavar="SOCKET",
        help="where the keeper listens (default: STATE/control.sock)",
    )
    parser.add_argument(
        "--listen", default="0.0.0.0:443", metavar="ADDR:PORT",
        help="where; port 0 takes any that is free (default 0.0.0.0:443)",
    )  # fmt: skip
    parser.add_argument(
        "--setup-code-file", type=Path, metavar="F", help="the code of the box's label is F's first line"
    )


def run(args: argparse.Namespace) -> int:
    """Serve. Exit code 9 when the port cannot be listened to."""
    from webui import serving

    address, port = address_and_port(args.listen)
    home = Path(args.home).absolute()
    state = args.state or home.with_name(f"{home.name}-web")
    control = args.control or state / "control.sock"
    code = _code(args.setup_code_file)
    keeper = None if _answers(control) or args.control else _start_keeper(home, state, control)
    try:
        told = None if serving.is_begun(state) or args.setup_code_file else code
        serving.serve(state, control, address, port, code, lambda at, at_port: _ready(at, at_port, told))
    finally:
        if keeper:
            keeper.terminate()
            keeper.wait()
    return 0


def _code(path: Path | None) -> str:
    """Off the label, or drawn now: 40 bits, and few guesses are borne."""
    if path is None:
        drawn = "".join(secrets.choice(LETTERS) for _ in range(8))
        return f"{drawn[:4]}-{drawn[4:]}"
    try:
        code = path.read_text(encoding="ascii").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise UsageError(f"cannot read {path}: {reason}") from error
    if len(code) < 8:
        raise UsageError(f"the set-up code in {path} has fewer than 8 characters: it would be guessed")
    return code


def _answers(control: Path) -> bool:
    from appliance.control.client import Client
    from appliance.control.messages import Actor, AskBox

    try:
        Client(control, patience_s=5.0).ask(Actor("", "", "console"), AskBox())
    except ControlError:
        return False
    return True


def _start_keeper(home: Path, state: Path, control: Path) -> "subprocess.Popen[bytes]":
    """A keeper of our own: it ends when we do, however we end. Raises ControlError."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "appliance.cli",
        "keeper",
        "--home",
        str(home),
        "--control",
        str(control),
    ]
    keeper = subprocess.Popen([*command, "--while-parent-lives"])  # noqa: S603 - our own command
    until_s = time.monotonic() + _KEEPER_WITHIN_S
    while not _answers(control):
        if keeper.poll() is not None or time.monotonic() > until_s:
            keeper.terminate()
            raise ControlError(
                "the keeper does not start; see what it says above, or 'greffier keeper --help'"
            )
        time.sleep(0.05)
    return keeper


def _ready(address: str, port: int, code: str | None) -> None:
    host = f"[{address}]" if ":" in address else address
    shown = "localhost" if host in ("0.0.0.0", "[::]") else host  # noqa: S104
    print(f"The page is at https://{shown}:{port} (Ctrl-C ends it)", flush=True)
    if code:
        print(f"To set the box up it asks for this code: {code}", flush=True)
