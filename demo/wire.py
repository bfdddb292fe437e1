"""The part of the demonstration that needs a network: a virtual mirror port, played on and recorded.

Runs in a network namespace of its own (`unshare --net`), so that nothing of the machine is touched and
nothing is left: the cable is gone when this process and the recorder have ended.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from demo.commands import GREFFIER, say, show
from demo.replay import read_capture, send, side_by_side

SWITCH, MIRROR = "switch0", "mirror0"
PLAY_S, RECORD_S = 10, 13
READY_WITHIN_S = 20


def lay_cable() -> None:
    """A virtual Ethernet cable: what is sent into `switch0` comes out of `mirror0`."""
    for command in (
        f"ip link add name {SWITCH} type veth peer name {MIRROR}",
        f"ip link set dev {SWITCH} arp off addrgenmode none up",
        f"ip link set dev {MIRROR} arp off addrgenmode none up",
    ):
        subprocess.run(command.split(), check=True)


def recorder_state(home: Path) -> dict[str, Any] | None:
    """What the recorder says of its only source; None until it listens."""
    for path in (home / "state").glob("recorder-*.json"):
        sources: list[dict[str, Any]] = json.loads(path.read_text())["sources"]
        if sources:
            return sources[0]
    return None


def wait_until_it_listens(home: Path, recorder: subprocess.Popen[str]) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while recorder_state(home) is None:
        if recorder.poll() is not None or time.monotonic() > until:
            raise SystemExit("the recorder did not start")
        time.sleep(0.05)


def play(home: Path, captures: list[Path]) -> None:
    """Play the captures and say every two seconds how far the recorder is."""
    frames = side_by_side(read_capture(path) for path in captures)
    told = time.monotonic()
    for sent in send(SWITCH, frames, PLAY_S):
        if time.monotonic() - told >= 2:
            told += 2
            state: dict[str, Any] = recorder_state(home) or {"packets": 0, "lost": {}}
            say(
                f"{sent:4} of {len(frames)} frames played; "
                f"the recorder has seen {state['packets']} and lost {sum(state['lost'].values())}"
            )
    say(f"{len(frames)} of {len(frames)} frames played; now it waits for its time to be over, and seals")


def main(home: Path, captures: list[Path]) -> int:
    lay_cable()
    arguments = ["record", "--home", home.name, "--interface", MIRROR, "--seconds", str(RECORD_S)]
    show(arguments)
    with subprocess.Popen(
        [GREFFIER, *arguments], cwd=home.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as recorder:
        try:
            wait_until_it_listens(home, recorder)
            play(home, captures)
            said, _ = recorder.communicate(timeout=60)
        finally:
            if recorder.poll() is None:
                recorder.terminate()
    say(said)
    return recorder.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
