"""Real captures through the whole box, from `greffier record` to what its custodians read, judged by tshark.

A case is a folder with one capture, ORIGIN.md, `case.toml` (client networks, and reasons for what may differ)
and `expected.json`, which tshark wrote and, where it is installed, must write again.
"""

import json
import shutil
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.main import main
from tests.cases.expect import CASES, capture_of, judge

NAMES = sorted(path.parent.name for path in CASES.glob("*/case.toml"))
Rows = list[list[Any]]


def greffier(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a verb in this process (starting a new one each time would take most of the time)."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [tmp_path_factory.mktemp("custodians") / f"{name}.key" for name in ("owner", "lawyer")]


def recipient(capsys: pytest.CaptureFixture[str], key: Path) -> str:
    """The public half of a custodian's key, which is made on first use."""
    public = key.with_suffix(".recipient")
    if not key.exists():
        public.write_text(greffier(capsys, "custodian", "new", "--out", key).split()[-1])
    return public.read_text()


def clients(found: list[dict[str, Any]]) -> Rows:
    said = {(row["client_mac"] or "", row["client_ip"]) for row in found}
    return [list(client) for client in sorted(said)]


def connections(found: list[dict[str, Any]]) -> Rows:
    """Rows of one connection that were apart for more than the idle timeout are added up."""
    totals: Counter[tuple[Any, ...]] = Counter()
    counted = ("packets_out", "bytes_out", "packets_in", "bytes_in")
    for row in found:
        ports = [-1 if row[f"{side}_port"] is None else row[f"{side}_port"] for side in ("client", "peer")]
        key = (row["client_ip"], ports[0], row["peer_ip"], ports[1], row["protocol"])
        totals.update({(*key, name): row[name] for name in counted})
    return [
        [*key, *(totals[(*key, name)] for name in counted)] for key in sorted({key[:5] for key in totals})
    ]


def count_of_records(found: list[dict[str, Any]]) -> Rows:
    """[[how many connections]]: one that the box split in two by its client's MAC counts twice."""
    sides = ("client_ip", "client_port", "peer_ip", "peer_port", "protocol", "client_mac")
    return [[len({tuple(row[name] for name in sides) for row in found})]]


def places(found: list[dict[str, Any]]) -> Rows:
    said = {
        (row["client_ip"], -1 if row["vlan"] is None else row["vlan"], row["ap_mac"] or "") for row in found
    }
    return [list(place) for place in sorted(said)]


def conversations(whole: Rows) -> Rows:
    """Connections to [address, address, protocol, packets and bytes one way, and the other way]."""
    totals: Counter[tuple[Any, ...]] = Counter()
    for client, _, peer, _, protocol, *out_and_in in whole:
        ways = ((client, peer), (peer, client))
        for (source, target), packets, octets in zip(ways, out_and_in[::2], out_and_in[1::2], strict=True):
            totals[source, target, protocol, "packets"] += packets
            totals[source, target, protocol, "bytes"] += octets
    pairs = sorted({(min(a, b), max(a, b), protocol) for a, b, protocol, _ in totals})
    rows: Rows = []
    for a, b, protocol in pairs:
        back = [0, 0] if a == b else [totals[b, a, protocol, what] for what in ("packets", "bytes")]
        rows.append([a, b, protocol, *(totals[a, b, protocol, what] for what in ("packets", "bytes")), *back])
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_back_is_what_tshark_sees(
    name: str, keys: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES / name
    settings = tomllib.loads((case / "case.toml").read_text())
    expected = json.loads((case / "expected.json").read_text())
    home = tmp_path / "home"
    custodians = [word for key in keys for word in ("--custodian", recipient(capsys, key))]
    greffier(
        capsys,
        "init",
        "--home",
        home,
        "--site",
        name,
        *custodians,
        "--client-network",
        *settings["client_networks"],
    )
    greffier(capsys, "record", "--home", home, capture_of(case))
    asked = ("--home", home, "--identity", *keys, "--format", "jsonl")
    records = lines(greffier(capsys, "search", *asked))
    held = lines(greffier(capsys, "bindings", *asked))
    whole = connections(records)
    found = {
        "clients": clients(records),
        "places": places(records),
        "conversations": conversations(whole),
        "connections": whole,
        "records": count_of_records(records),
        "bindings": [list(row) for row in sorted({(row["ip"], row["mac"], row["evidence"]) for row in held})],
    }
    for what, rows in expected.items():
        reason = settings.get("differs", {}).get(what)
        missing = [row for row in rows if row not in found[what]]
        invented = [row for row in found[what] if row not in rows]
        assert bool(missing or invented) == bool(reason), (what, reason, missing[:5], invented[:5])


@pytest.mark.skipif(
    shutil.which("tshark") is None, reason="tshark is not installed: its stored words are taken"
)
@pytest.mark.parametrize("name", NAMES)
def test_tshark_still_says_what_is_stored(name: str) -> None:
    assert judge(CASES / name) == json.loads((CASES / name / "expected.json").read_text())


def test_every_case_says_where_it_comes_from() -> None:
    assert len(NAMES) >= 85
    for name in NAMES:
        origin = (CASES / name / "ORIGIN.md").read_text()
        assert "- from: " in origin
        assert "- licence: " in origin
