"""central.toml: what is written is read back, and what cannot be meant is said with its line."""

from pathlib import Path

import pytest

from appliance.config import central_toml
from appliance.config.central import CentralConfig, LimitsConfig, PlaceConfig
from appliance.model.errors import CentralError

WHOLE = CentralConfig(
    'Lyon "Part-Dieu" \\ 2',
    ("central.example", "192.0.2.1", "2001:db8::1"),
    "postgresql://greffier@db.example/greffier?sslmode=verify-full&passfile=/etc/greffier/pgpass",
    PlaceConfig("https://s3.example", "objects", "fr-par", "s3.keys"),
    PlaceConfig("https://s3.example", "custody", "fr-par", "/etc/greffier/custody.keys"),
    {"traffic": 2, "source": 1},
    (5, 60),
    LimitsConfig(100, 0),
    {"first operator": "ab" * 32, 'second "operator"': "cd" * 32},
)


@pytest.mark.parametrize("config", [CentralConfig("Lyon"), WHOLE])
def test_it_is_read_as_it_was_written(tmp_path: Path, config: CentralConfig) -> None:
    path = tmp_path / "central.toml"
    path.write_text(central_toml.render(config))
    assert central_toml.read(path) == config


def test_the_least_that_is_needed_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "central.toml"
    path.write_text('name = "Lyon"\n')
    assert central_toml.read(path) == CentralConfig("Lyon")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('name = "Lyon"\nname = "x"', "is not valid TOML"),
        ("", ": name: is missing"),
        ('name = ""', "line 1: name: the central needs a name"),
        ('name = "a"\nhosts = "b"', "line 2: hosts: must be a list of texts"),
        ('name = "a"\nhosts = ["b c"]', "line 2: hosts: 'b c' is neither a name of a host nor an address"),
        ('name = "a"\nhosts = ["1.2.3"]', "line 2: hosts: '1.2.3' is neither"),
        ('name = "a"\nhosts = ["fe80::1%eth0"]', "line 2: hosts: .* of one interface only"),
        ('name = "a"\ncolour = "b"', "line 2: colour: there is no such setting"),
        ('name = "a"\n[colours]\nname = "x"', "line 2: colours: there is no such section"),
        ('name = "a"\ncatalogue = "mysql://a/b"', "line 2: catalogue: must be empty, or like postgresql"),
        ('name = "a"\ncatalogue = "postgresql://u:secret@h/b"', "line 2: catalogue: no password here"),
        (
            'name = "a"\ncatalogue = "postgresql://u@h/b?password=secret"',
            "line 2: catalogue: no password here",
        ),
        ('name = "a"\ncatalogue = "postgresql://[h/b"', "line 2: catalogue: this is no URL"),
        ('name = "a"\nsilence_minutes = [60, 15]', "line 2: silence_minutes: the levels must grow"),
        ('name = "a"\nsilence_minutes = []', "line 2: silence_minutes: needs at least one level"),
        ('name = "a"\n[store]\nbucket = "x"', "line 3: bucket: an endpoint and a bucket are given together"),
        ('name = "a"\n[store]\nendpoint = "s3"\nbucket = "abc"', "line 3: endpoint: 's3' is not like"),
        (
            'name = "a"\n[store]\nendpoint = "https://k:s@s3"\nbucket = "abc"',
            "line 3: endpoint: .* is not like",
        ),
        ('name = "a"\n[custody]\nendpoint = "https://s3"\nbucket = "A_B"', "line 4: bucket: 'A_B' has not"),
        (
            'name = "a"\n[store]\nendpoint = "https://s3"\nbucket = "abc"\n'
            '[custody]\nendpoint = "https://s3"\nbucket = "abc"',
            "line 5: custody: envelopes need a bucket of their own",
        ),
        ('name = "a"\n[term_years]\ntraffic = 0', "traffic is not between 1 .the law's. and 10 years"),
        ('name = "a"\n[term_years]\nidentity = 1', "line 3: identity: there is no such setting"),
        ('name = "a"\n[limits]\nobject_mib = 0', "line 3: object_mib: 0 is not between"),
        ('name = "a"\n[limits]\nobject_mib = true', "line 3: object_mib: must be a number"),
        ('name = "a"\n[operators]\n"b" = "cd"', "line 2: operators: the key of 'b' is no public key"),
        (f'name = "a"\n[operators]\nb = "{"ab" * 32}"\nc = "{"ab" * 32}"', "two operators have the same key"),
        ('name = "a"\n[operators]\nb = 1', "line 3: b: must be a text"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "central.toml"
    path.write_text(text)
    with pytest.raises(CentralError, match=why) as caught:
        central_toml.read(path)
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(CentralError, match="make one with 'greffier central init'"):
        central_toml.read(tmp_path / "central.toml")
    (tmp_path / "central.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(CentralError, match="not UTF-8"):
        central_toml.read(tmp_path / "central.toml")
