"""Parcels: what lies whole in one is found whatever happened to the rest; nothing else is."""

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.replication import parcel_reader, parcels
from appliance.replication.claims import Claim
from appliance.replication.parcel_reader import State
from appliance.replication.parcel_writer import ParcelWriter
from appliance.replication.parcels import Head
from appliance.vault import canonical, signing
from tests.replication.made_parcels import AT_NS, objects, write

SIGNER = signing.signer(signing.generate())
SIZES = [0, 1, 700, 5_000, 100_000, 12, 70_000, 0, 3]


def usable(path: Path) -> list[tuple[Claim, bytes]]:
    """What a central could take: a claim of the box, with the bytes that it says."""
    taken = []
    with parcel_reader.opened(path) as parcel:
        for found in parcel.contents().found:
            content = parcel.content(found).read()
            if found.claim.holds(SIGNER.box) and canonical.sha256(content) == found.claim.sha256:
                taken.append((found.claim, content))
    return taken


def state(path: Path) -> State:
    with parcel_reader.opened(path) as parcel:
        return parcel.contents().state


def test_what_was_put_in_is_found_and_the_end_is_signed(tmp_path: Path) -> None:
    made = objects(SIGNER, SIZES)
    head = write(tmp_path / "p", SIGNER, made)
    assert usable(tmp_path / "p") == made
    with parcel_reader.opened(tmp_path / "p") as parcel:
        contents = parcel.contents()
    assert contents.head == head
    assert contents.state is State.WHOLE
    assert contents.closing is not None
    assert contents.closing.holds(SIGNER.box)
    assert (contents.closing.objects, contents.closing.size_bytes) == (len(SIZES), sum(SIZES))


def test_openssl_and_sha256sum_agree_with_the_closing_line(tmp_path: Path) -> None:
    """The closing line's signature and list, by PROTOCOL.md and other programs alone."""
    write(tmp_path / "p", SIGNER, objects(SIGNER, [0, 5, 9]))
    content = (tmp_path / "p").read_bytes()
    line = content[:-1].rpartition(b"\n")[2]
    fields = canonical.decode(line)
    signature = bytes.fromhex(fields.pop("sig"))
    (tmp_path / "sig").write_bytes(signature)
    (tmp_path / "message").write_bytes(b"greffier parcel end 1\n" + canonical.encode(fields))
    (tmp_path / "key.pem").write_bytes(signing.to_pem(SIGNER.key))
    judged = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-rawin", "-inkey", "key.pem", "-in", "message", "-sigfile", "sig"],
        cwd=tmp_path, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "Signature Verified Successfully" in judged.stdout
    listed = subprocess.run(
        "grep -a '\"greffier claim 1\"' p | sha256sum; head -1 p | sha256sum",
        shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=30,
    ).stdout.split()  # fmt: skip
    assert (listed[0], listed[2]) == (fields["list"], fields["head"])


def test_one_that_was_cut_off_anywhere_is_plainly_incomplete_and_its_whole_objects_are_found(
    tmp_path: Path,
) -> None:
    made = objects(SIGNER, [0, 1, 300, 40])
    write(tmp_path / "whole", SIGNER, made)
    content = (tmp_path / "whole").read_bytes()
    ends = [content.index(claim.render()) + len(claim.render()) + 2 + len(body) for claim, body in made]
    for cut in range(len(content)):
        (tmp_path / "p").write_bytes(content[:cut])
        assert state(tmp_path / "p") is State.CUT_OFF, cut
        assert usable(tmp_path / "p") == made[: sum(1 for end in ends if end <= cut)], cut


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_costs_what_it_touches_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    made = objects(SIGNER, SIZES)
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    write(tmp_path / "p", SIGNER, made)
    content = (tmp_path / "p").read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(1, 3000))
    other = data.draw(st.one_of(st.just(b""), st.binary(max_size=64), st.just(b"\0" * length)))
    changed = content[:start] + other + content[start + length :]
    (tmp_path / "p").write_bytes(changed)
    untouched = []
    for claim, body in made:
        frame = claim.render() + b"\n" + body + b"\n"
        if frame in content[:start] or frame in content[start + length :]:
            untouched.append((claim, body))
    taken = usable(tmp_path / "p")
    assert set(untouched) <= set(taken) <= set(made)
    if changed != content:
        assert state(tmp_path / "p") is not State.WHOLE or len(taken) < len(made)


@given(noise=st.binary(max_size=2000))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_at_all_may_lie_there(tmp_path: Path, noise: bytes) -> None:
    (tmp_path / "p").write_bytes(noise)
    assert usable(tmp_path / "p") == []
    for parse in (parcels.parse_head, parcels.parse_closing):
        with pytest.raises(ValueError, match=r"."):
            parse(noise + b"\n")


def test_bytes_that_are_not_as_claimed_leave_nothing_behind(tmp_path: Path) -> None:
    made = objects(SIGNER, [10, 200_000, 30])
    parcel = ParcelWriter(
        tmp_path / "p", Head(SIGNER.fingerprint, ("ab" * 32,), "01234567", 1, AT_NS), SIGNER
    )
    parcel.open()
    assert parcel.add(made[0][0], io.BytesIO(made[0][1]))
    for wrong in (made[1][1][:-1], made[1][1] + b"x", b"x" + made[1][1][1:], b""):
        assert not parcel.add(made[1][0], io.BytesIO(wrong))
    assert parcel.add(made[2][0], io.BytesIO(made[2][1]))
    parcel.close(last=False)
    assert usable(tmp_path / "p") == [made[0], made[2]]
    assert state(tmp_path / "p") is State.WHOLE


def test_more_objects_than_a_parcel_has_are_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = objects(SIGNER, [1] * 6)
    write(tmp_path / "p", SIGNER, made)
    monkeypatch.setattr(parcels, "OBJECT_LIMIT", 4)
    assert usable(tmp_path / "p") == made[:4]
    assert state(tmp_path / "p") is State.DAMAGED


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"."), parcel_reader.opened(tmp_path / "link"):
        pass
    with pytest.raises(ValueError, match="not a plain file"), parcel_reader.opened(tmp_path / "pipe"):
        pass


def test_the_vector_of_the_protocol() -> None:
    """courier.parcel is the two lines of the whole conversation, on a stick."""
    vectors = Path(__file__).parent / "vectors"
    with parcel_reader.opened(vectors / "courier.parcel") as parcel:
        contents = parcel.contents()
        found = [(one.claim.render(), parcel.content(one).read()) for one in contents.found]
    box = signing.load(vectors / "box.key").box
    assert contents.state is State.WHOLE
    assert contents.closing is not None
    assert contents.closing.holds(box)
    assert found == [
        ((vectors / f"claim-{number}.json").read_bytes(), (vectors / f"line-{number}").read_bytes())
        for number in (0, 1)
    ]
