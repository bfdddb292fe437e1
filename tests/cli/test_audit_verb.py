"""Verbs that not everybody may run stand in the audit chain, which can be shown and is verified."""

import json
import os
import pwd
from pathlib import Path

import pytest

from appliance.audit import volume
from appliance.cli.main import main
from appliance.vault import chain
from appliance.vault.seals import AuditAnchor
from tests.vault.made_homes import DAY, make_box
from tests.vault.made_rows import traffic


def steps(home: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["audit", "--home", str(home), "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["steps"]
    return found


def test_each_privileged_verb_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = make_box(tmp_path)
    box.record(traffic(3))
    home, keys = str(box.home.path), [str(key) for key in box.keys]
    hold = ["--vault", "traffic", "--from", str(DAY), "--until-day", str(DAY), "--expires", "2999-01-01"]
    assert main(["hold", "--home", home, "place", "--reference", "order 12", *hold]) == 0
    assert main(["hold", "--home", home, "end", "--reference", "order 12"]) == 0
    assert main(["hold", "--home", home, "end", "--reference", "order 12"]) == 2
    assert (
        main(["sources", "--home", home, "declare", "lobby", "--address", "192.0.2.9", "--kind", "netflow"])
        == 0
    )
    assert main(["sources", "--home", home, "forget", "lobby"]) == 0
    assert (
        main(["search", "--home", home, "--identity", *keys, "--ip", "10.0.0.7", "--from", "2026-03-14"]) == 0
    )
    assert main(["bindings", "--home", home, "--identity", *keys]) == 0
    assert main(["reversibility", "--home", home, "--identity", *keys, "--to", str(tmp_path / "out")]) == 0
    assert main(["retention", "--home", home, "--dry-run"]) == 0
    assert main(["retention", "--home", home]) == 0
    found = steps(box.home.path, capsys)
    assert [(step["step"], step["result"]) for step in found] == [
        ("place-hold", "done"), ("end-hold", "done"), ("end-hold", "failed"), ("end-hold", "failed"),
        ("declare-source", "done"), ("forget-source", "done"), ("search-records", "done"),
        ("search-bindings", "done"), ("give-everything", "done"), ("apply-term", "done"),
    ]  # fmt: skip
    user = pwd.getpwuid(os.getuid()).pw_name
    assert {(step["name"].split(" as ")[-1], step["origin"]) for step in found} == {(user, "console")}
    [asked] = [step["details"] for step in found if step["step"] == "search-records"]
    assert (asked["by"], asked["from"]) == ("ip", "2026-03-14T00:00:00.000000000Z")
    assert asked["custodian 1"].startswith("age1")
    assert asked["custodian 2"].startswith("age1")
    assert b"10.0.0.7" not in volume.content(box.home)
    assert isinstance(chain.read(box.home)[-1].body, AuditAnchor)
    assert main(["verify", "--home", home, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["audit"] == {"steps": 10, "anchors": 1}


def test_a_new_box_begins_its_book(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = make_box(tmp_path)
    custodians = [option for one in box.config.custodians for option in ("--custodian", one)]
    made = ["init", "--home", str(tmp_path / "new"), "--site", "Hôtel", *custodians]
    assert main([*made, "--client-network", "10.0.0.0/8"]) == 0
    [step] = steps(tmp_path / "new", capsys)
    assert (step["step"], step["subject"]) == ("set-up", "Hôtel")


def test_a_copy_without_the_boxs_key_is_searched_and_says_that_it_is_not_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = make_box(tmp_path)
    box.record(traffic(3))
    box.home.signing_key.unlink()
    keys = [str(key) for key in box.keys]
    assert main(["search", "--home", str(box.home.path), "--identity", *keys]) == 0
    assert "not noted" in capsys.readouterr().err
    assert not volume.path_of(box.home).exists()


def test_verify_and_audit_name_the_line_that_was_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = make_box(tmp_path)
    home = str(box.home.path)
    assert main(["retention", "--home", home]) == 0
    assert main(["retention", "--home", home, "--now", "2026-11-22"]) == 0
    path = volume.path_of(box.home)
    path.write_bytes(path.read_bytes().replace(b"2026-11-22", b"2026-11-21"))
    for verb in ("verify", "audit"):
        capsys.readouterr()
        assert main([verb, "--home", home]) == 1
        assert "audit/chain.jsonl line 2 (seq 1): is not signed by this box" in capsys.readouterr().out


def test_a_person_can_read_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = make_box(tmp_path)
    home = str(box.home.path)
    assert main(["audit", "--home", home]) == 0
    assert "Nothing was ever noted here." in capsys.readouterr().out
    for _ in range(3):
        assert main(["retention", "--home", home]) == 0
    capsys.readouterr()
    assert main(["audit", "--home", home, "--last", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2
    assert "apply-term" in shown[0]
    assert shown[1].startswith("3 steps, 1 anchor in the seals. Head 2:")
