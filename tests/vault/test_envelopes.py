"""Envelopes: any quorum of custodians opens one, fewer never; age and ssss-combine agree."""

import base64
import itertools
import json
import subprocess
from pathlib import Path

import pytest

from appliance.model.errors import CustodyError, DestroyedError, HomeError
from appliance.vault import canonical, envelopes, signing
from appliance.vault.day_keys import DayKey
from appliance.vault.names import VaultName
from tests.vault.made_homes import DAY, Box, make_box

VECTORS = Path(__file__).parent / "vectors"
SECRET = bytes(range(32))


def put(box: Box, key: DayKey, content: bytes | None = None) -> Path:
    """An envelope in its place, without a line in the chain."""
    signer = signing.load(box.home.signing_key)
    if content is None:
        content = envelopes.seal_key(key, "cafe0123", box.config.custodians, box.config.quorum, signer)
    path = box.home.envelopes(key.vault, key.day) / f"{key.key_id}.envelope"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def key(
    key_id: str = "0123456789abcdef", vault: VaultName = VaultName.TRAFFIC, secret: bytes = SECRET
) -> DayKey:
    return DayKey(vault, DAY, key_id, secret)


def ordinary_tools(envelope: bytes, identities: list[Path], folder: Path) -> bytes:
    """The day key, put together with jq-like reading, `age` and `ssss-combine` only."""
    fields = json.loads(envelope)
    plain = []
    for number, identity in enumerate(identities):
        shown = subprocess.run(["age-keygen", "-y", identity], capture_output=True, text=True, check=True)
        share = next(share for share in fields["shares"] if share["recipient"] == shown.stdout.strip())
        sealed = folder / f"share{number}.age"
        sealed.write_bytes(base64.b64decode(share["sealed"]))
        opened = subprocess.run(["age", "-d", "-i", identity, sealed], capture_output=True, check=True)
        plain.append(json.loads(opened.stdout))
    halves = []
    for half in (0, 1):
        lines = "".join(share["halves"][half] + "\n" for share in plain)
        combine = ["ssss-combine", "-t", str(len(plain)), "-x", "-D", "-q"]
        halves.append(subprocess.run(combine, input=lines, capture_output=True, text=True, check=True).stderr)
    return bytes.fromhex("".join(half.strip() for half in halves))


@pytest.mark.parametrize(("custodians", "quorum"), [(1, 1), (2, 1), (2, 2), (3, 2), (4, 3)])
def test_exactly_the_quorum_opens(tmp_path: Path, custodians: int, quorum: int) -> None:
    box = make_box(tmp_path, custodians, quorum)
    put(box, key())
    for count in range(1, custodians + 1):
        for chosen in itertools.combinations(range(custodians), count):
            opener = box.opener(*chosen)
            if count >= quorum:
                assert opener.open(VaultName.TRAFFIC, DAY, key().key_id) == key()
            else:
                with pytest.raises(CustodyError, match=f"{quorum} of the {custodians} custodians"):
                    opener.open(VaultName.TRAFFIC, DAY, key().key_id)


def test_the_same_custodian_twice_is_one(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    put(box, key())
    with pytest.raises(CustodyError):
        box.opener(0, 0).open(VaultName.TRAFFIC, DAY, key().key_id)


def test_strangers_open_nothing(tmp_path: Path) -> None:
    box, strangers = make_box(tmp_path / "one"), make_box(tmp_path / "other")
    put(box, key())
    box.keys = strangers.keys
    with pytest.raises(CustodyError, match="0 of them"):
        box.opener().open(VaultName.TRAFFIC, DAY, key().key_id)


def test_age_and_ssss_put_the_key_together(tmp_path: Path) -> None:
    box = make_box(tmp_path, 3, 2)
    content = put(box, key()).read_bytes()
    assert ordinary_tools(content, [box.keys[0], box.keys[2]], tmp_path) == SECRET


def test_no_share_and_no_half_of_the_key_stands_in_the_envelope(tmp_path: Path) -> None:
    content = put(make_box(tmp_path, 2, 1), key()).read_bytes()
    for part in (SECRET[:16], SECRET[16:]):
        assert part.hex().encode() not in content
        assert part not in content
        assert base64.b64encode(part)[:20] not in content


def resigned(box: Box, fields: dict[str, object]) -> bytes:
    """What a thief of box.key could make."""
    fields.pop("signature")
    signature = signing.load(box.home.signing_key).sign(envelopes.PURPOSE, canonical.encode(fields))
    return canonical.encode({**fields, "signature": signature}) + b"\n"


def test_shares_of_another_envelope_are_refused_even_under_the_boxs_signature(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    one = json.loads(put(box, key()).read_bytes())
    other = json.loads(put(box, key("fedcba9876543210", secret=bytes(32))).read_bytes())
    one["shares"] = other["shares"]
    put(box, key(), resigned(box, one))
    with pytest.raises(HomeError, match="another envelope"):
        box.opener().open(VaultName.TRAFFIC, DAY, key().key_id)


def test_a_wrong_reconstruction_is_noticed(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    one = json.loads(put(box, key()).read_bytes())
    one["commitment"] = "0" * 64
    put(box, key(), resigned(box, one))
    with pytest.raises(HomeError, match="do not give its key"):
        box.opener().open(VaultName.TRAFFIC, DAY, key().key_id)


def test_an_envelope_in_another_days_place_is_refused(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    content = put(box, key()).read_bytes()
    put(box, key(vault=VaultName.SOURCE), content)
    with pytest.raises(HomeError, match="another day"):
        box.opener().open(VaultName.SOURCE, DAY, key().key_id)


def test_an_unsigned_change_is_refused(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    path = put(box, key())
    path.write_bytes(path.read_bytes().replace(b'"quorum":2', b'"quorum":1'))
    with pytest.raises(HomeError, match="not signed by this box"):
        box.opener().open(VaultName.TRAFFIC, DAY, key().key_id)


def test_an_envelope_that_is_gone_without_a_destruction_is_a_fault_not_a_destruction(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with pytest.raises(HomeError, match="missing") as raised:
        box.opener().open(VaultName.TRAFFIC, DAY, key().key_id)
    assert not isinstance(raised.value, DestroyedError)


def test_the_vector_opens_with_ordinary_tools(tmp_path: Path) -> None:
    expected = json.loads((VECTORS / "expected.json").read_bytes())
    content = (VECTORS / "vector.envelope").read_bytes()
    identities = [VECTORS / "alice.key", VECTORS / "carol.key"]
    assert ordinary_tools(content, identities, tmp_path).hex() == expected["secret"]


def test_the_vector_parses(tmp_path: Path) -> None:
    expected = json.loads((VECTORS / "expected.json").read_bytes())
    envelope = envelopes.parse((VECTORS / "vector.envelope").read_bytes(), expected["box"])
    secret = DayKey(envelope.vault, envelope.day, envelope.key_id, bytes.fromhex(expected["secret"]))
    assert envelope.commitment == envelopes.commitment(signing.fingerprint(expected["box"]), secret)
    assert (envelope.quorum, len(envelope.shares), envelope.run) == (2, 3, "cafe0123")
