"""`greffier feed` as a person meets it: mistakes are one sentence, and no file is its defect."""

import json
import random
from pathlib import Path

import pytest

from appliance.model.feeds import FeedKind
from tests.cli.test_custody_verbs import Greffier, greffier, home
from tests.wire.carried import datagram, segment, write_capture

__all__ = ["greffier", "home"]

CASES = Path(__file__).parents[1] / "feeds" / "cases"
PORTS = {"netflow": 2055, "sflow": 6343, "syslog": 514, "radius": 1813, "cloudtrax": 8443}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--kind", "syslog"), 2, "required: FILE"),
        (("--kind", "ftp", "box.toml"), 2, "invalid choice: 'ftp' (choose from 'netflow', "),
        (("--kind", "syslog", "nowhere.log"), 6, "there is no file nowhere.log; nothing was recorded"),
        (("--kind", "syslog", "--source", "x", "box.toml"), 2, "no source is called 'x'; declared are: ap"),
        (("--kind", "radius", "--source", "ap", "box.toml"), 2, "'ap' has no secret, without which radius"),
        (("--kind", "syslog", "--time-zone", "Paris", "box.toml"), 2, "'Paris' is no IANA time zone"),
        (
            ("--kind", "syslog", "--grammar", "cobol", "box.toml"),
            2,
            "there is no grammar 'cobol'; there are: ",
        ),
        (("--kind", "syslog", "--port", "99999", "box.toml"), 2, "99999 is no port"),
    ],
)
def test_a_mistake_is_one_sentence(
    greffier: Greffier,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(home)
    assert greffier("sources", "--home", home, "declare", "ap", "--address", "10.0.0.1")[0] == 0
    before = (home / "chain.jsonl").read_bytes()
    told, said, complained = greffier("feed", "--home", home, *words)
    assert (told, said) == (code, "")
    assert message in complained
    assert (home / "chain.jsonl").read_bytes() == before


def hostile(folder: Path, chance: random.Random) -> list[Path]:
    """Files that begin well and are not: noise, damaged captures, captures of damaged messages."""
    good = [path.read_bytes() for path in sorted(CASES.glob("*/*.*")) if path.suffix in (".pcap", ".dat")]
    files = []
    for number in range(12):
        octets = bytearray(chance.choice(good))
        for _ in range(chance.randrange(1, 30)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        files.append(folder / f"damaged-{number}")
        files[-1].write_bytes(octets[: chance.randrange(1, len(octets) + 1)])
    frames = []
    for number in range(300):
        payload = chance.choice(good)[chance.randrange(50) :][: chance.randrange(1400)]
        port = chance.choice(list(PORTS.values()))
        ends = (f"10.0.0.{chance.randrange(4)}", "10.0.1.1", (chance.randrange(1, 4), port))
        place, flags = chance.randrange(3000), chance.choice([0x18, 0x18, 0x02, 0x11, 0xFF])
        frames += [(number, datagram(*ends, payload)), (number, segment(*ends, place, payload, flags))]
    files += [write_capture(folder / "hostile.pcap", frames), folder / "noise"]
    files[-1].write_bytes(chance.randbytes(50_000))
    return files


@pytest.mark.parametrize("kind", list(FeedKind))
def test_no_file_is_a_defect(greffier: Greffier, home: Path, tmp_path: Path, kind: FeedKind) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    declared = ("all", "--address", "10.0.0.0/8", "--secret-file", secret)
    assert greffier("sources", "--home", home, "declare", *declared)[0] == 0
    files = hostile(tmp_path, random.Random(f"feed {kind}"))
    code, said, complained = greffier(
        "feed", "--home", home, "--json", "--kind", kind, "--source", "all", *files
    )
    assert code in (0, 6), complained
    assert json.loads(said)["refused"]
    assert greffier("verify", "--home", home)[0] == 0
