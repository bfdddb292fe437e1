"""Every closed word of the box has its words on the page, in both languages."""

import re
from pathlib import Path

import pytest

from appliance.control.steps import Ended, Step
from appliance.control.words import Lapse
from appliance.model.feeds import FeedKind
from appliance.retention.legal.shipped import france
from appliance.vault.names import VaultName
from webui import vocabulary
from webui.rights import GRANTABLE, Role
from webui.wording import catalogue

FORMAT = Path(__file__).parents[2] / "appliance" / "vault" / "FORMAT.md"


def lost_words():
    """The words of `lost`, as the table of the format has them."""
    rows = FORMAT.read_text().partition("| `lost` |")[2].partition("| `refused` |")[0]
    cells = (row.split("|") for row in f"| | {rows}".splitlines())
    return {word for row in cells if len(row) > 3 for word in re.findall(r"`([a-z_]+)`", row[2])}


def test_the_table_of_the_format_is_read():
    assert {"kernel", "storage", "sequence", "overload"} <= lost_words()


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (vocabulary.STEPS, set(Step)),
        (vocabulary.ENDED, set(Ended)),
        (vocabulary.KINDS, set(FeedKind)),
        (vocabulary.ROLES, set(Role)),
        (vocabulary.GRANTED, GRANTABLE),
        (vocabulary.BASES, {basis.key for basis in france().bases}),
        (vocabulary.LAPSES, set(Lapse)),
        (vocabulary.LOST, lost_words()),
        (vocabulary.VAULTS, set(VaultName)),
        (vocabulary.VAULT_CONTENTS, set(VaultName)),
        (vocabulary.BASIS_STATES, {"in-force", "lapsing", "lapsed", "unlimited"}),
        (vocabulary.HOLD_STATES, {"holding", "ended", "lifted"}),
    ],
    ids=[
        "steps",
        "ended",
        "kinds",
        "roles",
        "granted",
        "legal",
        "lapses",
        "lost",
        "vaults",
        "contents",
        "bases",
        "holds",
    ],
)
def test_every_word_is_known(words, keys):
    assert {str(key) for key in keys} <= set(words)
    french = catalogue("fr")
    assert not [text for text in words.values() if french.gettext(text) == text and " " in text]


def test_an_unknown_word_is_shown_as_it_is():
    assert vocabulary.word("fr", vocabulary.STEPS, "step-of-tomorrow") == "step-of-tomorrow"


@pytest.mark.parametrize(
    ("source", "french"),
    [
        ("interface:eth1", "Port miroir eth1"),
        ("feed:Borne: hall", "Borne: hall"),
        ("fed-file:a.pcap to b.pcap", "Fichier a.pcap to b.pcap"),
        ("feeds", "Réception des bornes et passerelles"),
        ("unheard", "unheard"),
    ],
)
def test_sources_have_names(source, french):
    assert vocabulary.source_name("fr", source) == french
