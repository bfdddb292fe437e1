"""What somebody else wrote reaches a terminal as letters only, never as what steers it."""

import json
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.cli.wording import on_one_line, printable
from appliance.model.coverage import Coverage
from appliance.vault.chain import Chain
from appliance.vault.seals import Interruption
from tests.vault.made_homes import NOW_NS, make_box


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hôtel du Port, 東京", "Hôtel du Port, 東京"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\rb\x9bc\x7f", "a\\rb\\x9bc\\x7f"),
        ("\u202egnp", "\\u202egnp"),
        ("\udce9", "\\udce9"),
    ],
)
def test_only_what_steers_a_terminal_becomes_an_escape(text: str, shown: str) -> None:
    assert printable(text) == on_one_line(text) == shown
    shown.encode("utf-8")


def test_a_line_break_stays_in_a_text_and_not_in_a_name() -> None:
    assert printable("a\nb") == "a\nb"
    assert on_one_line("a\nb") == "a\\nb"


def test_coverage_and_verify_print_the_name_of_a_source_without_its_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = make_box(tmp_path)
    source = "file:\x1b]0;owned\x07\nGAP"
    part = Coverage(source, NOW_NS, NOW_NS + 1, 3, 4)
    Chain.open(box.home).append([Interruption("cafe0123", NOW_NS, (part,))])
    for verb in ("coverage", "verify", "status"):
        assert main([verb, "--home", str(box.home.path)]) == 0
        out = capsys.readouterr().out
        assert all(line.isprintable() for line in out.split("\n"))
    assert main(["coverage", "--home", str(box.home.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"][0]["source"] == source
