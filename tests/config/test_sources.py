"""sources.toml: what is written is read; what is wrong is named by file, line and key, never a secret."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.sources import read, text_of
from appliance.model.errors import HomeError
from appliance.model.feeds import DeclaredSource, FeedKind

SHA = "ab" * 32
GATEWAY = DeclaredSource(
    "gateway",
    "Guests",
    ("10.0.0.1/32", "2001:db8::/64"),
    "",
    ("02:00:00:00:00:01", "02:00:00:00:00:02"),
    (FeedKind.NETFLOW, FeedKind.SYSLOG, FeedKind.RADIUS),
    "Indian/Reunion",
    "mikrotik",
    'a "quoted" \\ sécret #1',
    "",
    ("lobby", ""),
)
LOBBY = DeclaredSource("lobby", mac="02:00:00:00:00:01", kinds=(FeedKind.SYSLOG,))
CLOUD = DeclaredSource("cloud", certificate=SHA)


def write(path: Path, sources: tuple[DeclaredSource, ...]) -> None:
    text = text_of(sources)
    path.touch(0o600)
    path.write_text(text)


def test_what_is_written_is_read_and_nobody_else_may(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    assert read(path) == ()
    for sources in ((), (GATEWAY,), (GATEWAY, LOBBY, CLOUD)):
        write(path, sources)
        assert read(path, {"mikrotik"}) == sources
    path.chmod(0o640)
    with pytest.raises(HomeError, match="others may open it; run: chmod 600"):
        read(path)


def test_every_writing_of_an_address_has_one_form(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(
        '[[source]]\nlabel = " a "\naddresses = ["10.1.2.3/8", "::ffff:192.0.2.1", "2001:DB8:0::1"]\n'
        f'mac = "0200.0000.00AA"\ncertificate = "{":".join(["AB"] * 32)}"\nkinds = ["syslog", "netflow"]\n'
    )
    path.chmod(0o600)
    (source,) = read(path)
    assert source == DeclaredSource(
        "a",
        addresses=("10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128"),
        mac="02:00:00:00:00:aa",
        kinds=(FeedKind.NETFLOW, FeedKind.SYSLOG),
        certificate=SHA,
    )


TWO = """\
# first
[[source]]
label = "one"
addresses = ["10.0.0.1"]
secret = "topsecret"

[[source]]
label = "two"
addresses = ["10.0.0.2"]
secret = "topsecret"
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('label = "two"', 'label = "One"'), "line 8: label: 'one' has the same"),
        (('label = "two"', ""), r"line 7: label: is missing"),
        (('label = "two"', 'label = " "'), "line 8: label: a source needs a name"),
        (('label = "two"', 'label = "t\\nwo"'), "line 8: label: must be printable"),
        (('label = "two"', "label = 2"), "line 8: label: must be a text"),
        (("10.0.0.2", "10.0.0.0/30"), "line 9: addresses: overlap with those of 'one'"),
        (("10.0.0.2", "10.0.0.1"), "line 9: addresses: overlap with those of 'one'"),
        (("10.0.0.2", "::ffff:10.0.0.1"), "line 9: addresses: overlap with those of 'one'"),
        (('"10.0.0.2"', '"10.0.1.2", "10.0.1.0/30"'), "line 9: addresses: names the same address twice"),
        (("10.0.0.2", "ten"), "line 9: addresses: 'ten' is no address"),
        (("10.0.0.2", "0.0.0.0/0"), "line 9: addresses: '0.0.0.0/0' is everybody"),
        (("10.0.0.2", "239.1.1.1"), "line 9: addresses: '239.1.1.1' is for groups"),
        (('["10.0.0.2"]', '"10.0.0.2"'), "line 9: addresses: must be a list of texts"),
        (('addresses = ["10.0.0.2"]', ""), "line 7: addresses: a source is known by"),
        (('label = "two"', 'label = "two"\nmac = "x"'), "line 9: mac: 'x' is not a MAC"),
        (('label = "two"', 'label = "two"\nmac = "ff:ff:ff:ff:ff:ff"'), "line 9: mac: .* no MAC"),
        (('label = "two"', 'label = "two"\nap_macs = ["x"]'), "line 9: ap_macs: 'x' is not a MAC"),
        (('label = "two"', 'label = "two"\nap_labels = ["x"]'), "line 9: ap_labels: must be as many"),
        (('label = "two"', 'label = "two"\nkinds = ["ftp"]'), "line 9: kinds: 'ftp' is no kind of feed"),
        (('label = "two"', 'label = "two"\ntime_zone = "Paris"'), "line 9: time_zone: is no IANA"),
        (('label = "two"', 'label = "two"\ntime_zone = "../etc"'), "line 9: time_zone: is no IANA"),
        (('label = "two"', 'label = "two"\ngrammar = "cobol"'), "line 9: grammar: there is no such grammar"),
        (('label = "two"', 'label = "two"\ngrammar = "a b"'), "line 9: grammar: is a name"),
        (('label = "two"', 'label = "two"\ncertificate = "abc"'), "line 9: certificate: is no SHA-256"),
        (('label = "two"', 'label = "two"\ncolour = "red"'), "line 9: colour: there is no such setting"),
        (
            ('label = "two"\naddresses = ["10.0.0.2"]\nsecret = "topsecret"',
             'label = "two"\naddresses = ["10.0.0.2"]\nkinds = ["radius"]'),
            "line 7: secret: radius needs the secret",
        ),
        (('addresses = ["10.0.0.2"]\nsecret = "topsecret"', 'addresses = ["10.0.0.2"]\nsecret = "a\\u0007"'),
         "line 10: secret: must be printable"),
        (('# first', 'colour = "red"'), "colour: there is no such section"),
        (('# first', '[network]'), "network: there is no such section"),
        (('label = "two"', "label ="), "not valid TOML.*line 8"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_line_and_key(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "sources.toml"
    assert change[0] in TWO
    path.write_text(TWO.replace(*change))
    path.chmod(0o600)
    with pytest.raises(HomeError, match=message) as raised:
        read(path, {"mikrotik", "openwrt"})
    assert str(path) in str(raised.value)
    assert "topsecret" not in str(raised.value)


def test_sources_of_different_kinds_may_share_an_address(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    flows = DeclaredSource("flows", addresses=("10.0.0.0/24",), kinds=(FeedKind.NETFLOW,))
    lines = DeclaredSource("lines", addresses=("10.0.0.7/32",), kinds=(FeedKind.SYSLOG,))
    write(path, (flows, lines))
    assert read(path) == (flows, lines)
    with pytest.raises(HomeError, match="all: addresses: overlap with those of 'flows'"):
        text_of((flows, lines, DeclaredSource("all", addresses=("10.0.0.9",))))


def test_only_a_secret_lets_a_source_speak_what_needs_one() -> None:
    assert not LOBBY.speaks(FeedKind.NETFLOW)
    assert CLOUD.speaks(FeedKind.NETFLOW)
    assert not CLOUD.speaks(FeedKind.RADIUS)
    assert DeclaredSource("x", secret="s").speaks(FeedKind.RADIUS)


def test_a_secret_is_not_shown_by_accident() -> None:
    assert "sécret" not in repr(GATEWAY)


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60), st.text(max_size=80))
def test_any_label_and_secret_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, label: str, secret: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "sources.toml"
    source = DeclaredSource(label, addresses=("10.0.0.1/32",), secret=secret)
    if not secret.isprintable():
        with pytest.raises(HomeError, match="secret: must be printable"):
            text_of((source,))
        return
    write(path, (source,))
    assert read(path) == (source,)


@given(st.binary(max_size=300))
def test_any_bytes_are_sources_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "sources.toml"
    path.write_bytes(raw)
    path.chmod(0o600)
    with contextlib.suppress(HomeError):
        read(path)


def test_all_sources_together_have_no_more_than_one_look_can_take(tmp_path: Path) -> None:
    def source(number: int, many: int) -> DeclaredSource:
        return DeclaredSource(
            f"s{number}", addresses=tuple(f"10.{number}.{i >> 8}.{i & 255}" for i in range(many))
        )

    as_many = [source(number, 1_000) for number in range(16)]
    assert text_of(as_many).count("10.") >= 16_000
    with pytest.raises(HomeError, match=r"one: addresses: at most 16,000 of all sources together"):
        text_of([*as_many, DeclaredSource("one", addresses=("192.0.2.1",))])
    with pytest.raises(HomeError, match=r"1,001 addresses of one source cannot be meant: at most 1,000"):
        text_of([source(0, 1_001)])
