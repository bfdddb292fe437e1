"""The documents speak of what is there: rooms, verbs, exit codes, files."""

import re
from pathlib import Path

import pytest

from appliance.cli import bindings
from appliance.cli.main import VERBS
from appliance.model import errors
from appliance.model.reasons import Evidence, Note, Refusal

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted(file for file in ROOT.glob("**/*.md") if not {"build", ".venv"} & set(file.parts))


def test_the_map_shows_the_rooms_that_exist_and_no_other() -> None:
    shown = set(re.findall(r"^\| `(\w+)/` ", (ROOT / "appliance" / "README.md").read_text(), re.MULTILINE))
    rooms = {folder.parent.name for folder in (ROOT / "appliance").glob("*/__init__.py")}
    assert shown == rooms


def test_the_map_of_the_page_shows_every_file_and_folder_and_no_other() -> None:
    page = ROOT / "webui"
    table = (page / "README.md").read_text().partition("| file or folder |")[2].partition("\n\n")[0]
    shown = [
        name for row in table.splitlines()[2:] for name in re.findall(r"`([\w.]+/?)`", row.split("|")[1])
    ]
    modules = {file.name for file in page.glob("*.py") if file.stem != "__init__"}
    folders = {f"{folder.name}/" for folder in page.iterdir() if folder.is_dir() and folder.name[0] != "_"}
    assert sorted(shown) == sorted(modules | folders)


def test_every_folder_with_code_is_a_room_that_import_linter_sees() -> None:
    for package in ("appliance", "webui"):
        for file in (ROOT / package).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), file


def test_no_room_is_empty_and_no_room_opener_holds_code() -> None:
    openers = [*(ROOT / "appliance").rglob("__init__.py"), *(ROOT / "webui").rglob("__init__.py")]
    for opener in openers:
        assert opener.parent == ROOT / "appliance" or len(list(opener.parent.glob("*.py"))) > 1, opener
        assert re.fullmatch(r'""".+?"""\n', opener.read_text(), re.DOTALL), opener


def test_the_readme_explains_every_verb_and_every_exit_code() -> None:
    readme = (ROOT / "README.md").read_text()
    for verb in VERBS:
        assert f"greffier {verb}" in readme
    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", readme, re.MULTILINE))
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type)}
    assert codes | {0, 130} == set(map(int, table))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_each_decision_has_a_number_of_its_own_and_says_what_was_decided_and_why() -> None:
    decisions = list((ROOT / "appliance" / "decisions").iterdir())
    assert decisions
    numbers = [re.fullmatch(r"(\d{3})-[a-z0-9-]+\.md", file.name).group(1) for file in decisions]
    assert len(set(numbers)) == len(numbers)
    taken = {int(number) for number in numbers}
    assert all(number % 10 in (0, 1) or number - 1 in taken for number in taken), "a hole"
    for file in decisions:
        assert file.read_text().startswith(f"# {file.name[:3]}: "), file
        headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
        assert {"Decision", "Why", "Consequences"} <= set(headings), file


@pytest.mark.parametrize("word", [word.value for word in (*Refusal, *Note)])
def test_the_format_explains_every_word_of_a_coverage(word: str) -> None:
    table = (ROOT / "appliance" / "vault" / "FORMAT.md").read_text().partition("Words of a coverage")[2]
    rows = [row.split("|") for row in table.partition("| kind |")[0].splitlines() if row.startswith("|")]
    assert any(f"`{word}`" in row[2] and row[3].strip() for row in rows)


def test_evidence_is_ranked_alike_wherever_its_rank_is_told() -> None:
    """DHCP and DHCPv6 are one word there; a translation says nothing of MACs and has no rank."""
    ranked = sorted(set(Evidence) - {Evidence.NAT, Evidence.DHCPV6}, reverse=True)
    as_told = ["RADIUS", "DHCP", "association", "presence", "SNMP", "ND", "ARP", "flow"]
    assert [word.upper() for word in as_told] == [evidence.name for evidence in ranked]
    assert f"({', '.join(as_told)})" in str(bindings.__doc__)
    assert f"(best first: {', '.join(as_told)})" in (ROOT / "README.md").read_text()
    (decision,) = (ROOT / "appliance" / "decisions").glob("066-*.md")
    assert f"({' > '.join(as_told)})" in decision.read_text()
