"""Coverage-guided fuzzing of `wire` with atheris: `python -m tests.fuzz [-runs=N] [CORPUS ...]`.

Options are those of libFuzzer; without any it runs until it finds something or is interrupted. A finding is
printed with its traceback and written to `crash-*`; give that file as the argument to see it again. Seeds are
the frames of the cases.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["appliance.wire"]):
    from tests.fuzz.invariants import check_frames, check_message

from tests.fuzz import seeds


def test_one_input(content: bytes) -> None:
    """The first byte chooses what the rest is: one message, or frames each behind its length."""
    if content[:1] == b"\x01":
        check_message(content[1:])
        return
    frames, at = [], 1
    while at + 2 <= len(content) and len(frames) < 8:
        size = int.from_bytes(content[at : at + 2], "big")
        frames.append(content[at + 2 : at + 2 + size])
        at += 2 + size
    check_frames(list(dict.fromkeys(frames)))


def _write_seeds(folder: Path) -> None:
    for number, frame in enumerate(seeds.frames()):
        (folder / f"frame-{number}").write_bytes(b"\0" + len(frame).to_bytes(2, "big") + frame)
        if len(frame) > 300:
            (folder / f"message-{number}").write_bytes(b"\1" + frame[42:])


def main() -> None:
    """Never returns: libFuzzer ends the process, with 0 when nothing was found."""
    with tempfile.TemporaryDirectory(prefix="greffier-fuzz-") as name:
        _write_seeds(Path(name))
        given = sys.argv[1:]
        is_replay = any(Path(argument).is_file() for argument in given)
        corpus = [] if is_replay else [name]
        atheris.Setup([sys.argv[0], *given, *corpus], test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
