"""Whatever a site signs and sends: a receipt for exactly these bytes, or a ReplicationError; nothing else."""

import contextlib
import datetime as dt
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.central import places
from appliance.config.central import CentralConfig
from appliance.model.errors import ReplicationError
from appliance.replication import claims, names
from appliance.vault import chain
from tests.central.made_sites import Sender, make_sender, stored

_KEYS = [
    "seq", "prev", "at", "kind", "vault", "vaults", "day", "key_id", "run", "name", "rows", "first", "last",
    "files", "file", "replaces", "coverage", "custodians", "quorum", "box", "site", "format", "until",
    "reference", "first_day", "last_day", "key_ids",
    "term_years", "now", "cut_bytes", "lost_seq", "lost_hash", "shares",
    "commitment", "recipient", "sealed", "index", "more",
]  # fmt: skip
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 1, 2**31, 2**63, 2**64, 2**70])
    | st.text(max_size=20)
    | st.sampled_from(
        ["traffic", "2026-03-14", "2026-03-14T15:00:00.000000000Z", "0" * 16, "0" * 64, "\x00"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "sha256", "size_bytes", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_changes = st.dictionaries(st.sampled_from(_KEYS), _values, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    folder: Path = tmp_path_factory.mktemp("central")
    central = places.create(folder / "central", CentralConfig("Lyon"), ("localhost",))
    made = make_sender(central, folder / "box")
    made.record()
    made.send_everything()
    yield made
    check_whole(made)
    central.close()


def check_whole(sender: Sender) -> None:
    """Every row that says kept has its bytes, and nothing else is there; the numbers have no gap."""
    rows = sender.rows()
    expected = {
        f"{sender.signer.fingerprint}/{row.name}.{row.sha256.hex()}" for row in rows if row.state == "kept"
    }
    found = stored(sender.central)
    assert set(found) == expected
    assert all(path.endswith(hashlib.sha256(content).hexdigest()) for path, content in found.items())
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))


def deposit(sender: Sender, name: str, content: bytes) -> None:
    with contextlib.suppress(ReplicationError):
        receipt = sender.deposit(name, content)
        assert receipt.sha256 == hashlib.sha256(content).hexdigest()


def canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def signed(sender: Sender, purpose: bytes, fields: dict[str, Any], key: str) -> bytes:
    unsigned = {name: value for name, value in fields.items() if name != key}
    return canonical({**unsigned, key: sender.signer.sign(purpose, canonical(unsigned))}) + b"\n"


@settings(max_examples=150)
@given(which=st.integers(0, 20), changes=_changes, keeps_place=st.booleans())
def test_lines_of_any_content(sender: Sender, which: int, changes: dict[str, Any], keeps_place: bool) -> None:
    lines = list(sender.lines().values())
    fields = json.loads(lines[which % len(lines)])
    place = {key: fields[key] for key in ("seq", "prev")} if keeps_place else {}
    line = signed(sender, chain.PURPOSE, fields | changes | place, "sig")
    number = json.loads(line)["seq"]
    number = number if type(number) is int and 0 <= number < 10**12 else 0
    deposit(sender, names.of_line(number, hashlib.sha256(line).hexdigest()), line)


@settings(max_examples=100)
@given(changes=_changes, day=st.dates(min_value=dt.date(2020, 1, 1)))
def test_envelopes_of_any_content(sender: Sender, changes: dict[str, Any], day: Any) -> None:
    content = next(iter(sender.files("envelopes").values()))
    fields = json.loads(content) | changes
    key_id = hashlib.sha256(canonical(changes)).hexdigest()[:16]
    if "key_id" not in changes:
        fields |= {"key_id": key_id, "day": day.isoformat()}
    deposit(
        sender,
        f"envelopes/traffic/{day}/{key_id}.envelope",
        signed(sender, b"greffier envelope 1", fields, "signature"),
    )


@settings(max_examples=100)
@given(changes=_changes, tail=st.binary(max_size=60), cut=st.integers(0, 5000))
def test_journals_of_any_content(sender: Sender, changes: dict[str, Any], tail: bytes, cut: int) -> None:
    number = int(hashlib.sha256(canonical(changes) + tail).hexdigest()[:7], 16)
    name = f"20260314T150000Z-0123abcd-{number}-0123456789abcdef.journal"
    header = {
        "format": "greffier journal 1", "name": name, "vault": "traffic", "day": "2026-03-14",
        "key_id": "0123456789abcdef", "run": "0123abcd",
    }  # fmt: skip
    content = canonical(header | changes) + b"\n" + tail
    deposit(sender, f"journal/traffic/2026-03-14/{name}", content[: cut or None])


@settings(max_examples=100)
@given(
    name=st.text(max_size=80)
    | st.from_regex(r"(chain|journal|segments|envelopes|statistics)/[a-z0-9/.-]{0,60}", fullmatch=True),
    content=st.binary(max_size=200),
)
def test_names_and_bytes_of_any_kind(sender: Sender, name: str, content: bytes) -> None:
    deposit(sender, name, content)


@settings(max_examples=150)
@given(
    name=st.sampled_from(["statistics/2026-03-14/0123abcd-1.jsonl", "chain/000000000001-0123456789abcdef"]),
    site=st.text(max_size=70) | st.just("0" * 64),
    digest=st.text(max_size=70) | st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    size=st.integers(-(2**70), 2**70),
    content=st.binary(max_size=50),
)
def test_claims_of_any_kind(
    sender: Sender, name: str, site: str, digest: str, size: int, content: bytes
) -> None:
    """Those that the line would not let through among them: a stick brings claims, too."""
    signature = claims.make(sender.signer, name, digest, size).signature
    for whose in (site, sender.signer.fingerprint):
        claim = claims.Claim(whose, name, digest, size, signature)
        with contextlib.suppress(ReplicationError):
            sender.receiver.deposit(claim, io.BytesIO(content))
            assert (len(content), hashlib.sha256(content).hexdigest()) == (size, digest)
