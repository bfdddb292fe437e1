"""What central lost is taken again; and by what comes on a stick or from another central no site is heard."""

import io
from pathlib import Path

import pytest

from appliance.central.objects import path_of
from appliance.central.places import Central
from appliance.replication.targets import Refused
from appliance.runtime.clock import now_ns
from tests.central.made_sites import Sender, make_sender
from tests.central.servers import FOLDER, SERVERS

both = pytest.mark.parametrize("central_kind", [FOLDER, SERVERS], indirect=True)


@pytest.fixture
def central_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FOLDER))


@pytest.fixture
def sender(central: Central, tmp_path: Path) -> Sender:
    made = make_sender(central, tmp_path / "box")
    made.record()
    return made


def test_by_what_a_stick_or_another_central_brings_no_site_is_heard(sender: Sender) -> None:
    """Neither by what is new nor by what is known: the box may be at the bottom of a lake."""
    (first, one), (second, two) = list(sender.lines().items())[:2]
    sender.deposit(first, one)
    heard_at_ns = sender.site.heard_at_ns
    later = now_ns() + 3600 * 10**9
    sender.receiver = type(sender.receiver)(sender.central, lambda: later, is_live=False)
    assert sender.deposit(second, two).sequence == 2
    sender.deposit(first, one)
    assert sender.site.heard_at_ns == heard_at_ns


@both
def test_what_central_lost_is_taken_again_for_the_same_receipt(sender: Sender) -> None:
    """A line and an envelope: gone, and put back; bytes that are not right put nothing back."""
    receipts = {receipt.name: receipt for receipt in sender.send_everything()}
    central, kept = sender.central, dict(sender.everything())
    for kind in ("chain", "envelopes"):
        name = next(name for name in kept if name.startswith(f"{kind}/"))
        path = path_of(sender.site.fingerprint, name, receipts[name].sha256)
        if kind == "envelopes":
            central.custody.destroy(path)
        else:
            central.store.delete(path)
        with pytest.raises(Refused):
            sender.receiver.deposit(sender.claim(name, kept[name]), io.BytesIO(kept[name][:-1] + b"?"))
        assert sender.deposit(name, kept[name]) == receipts[name]
        if kind == "envelopes":
            assert central.custody.get(path) == kept[name]
        else:
            with central.store.open(path) as file:
                assert file.read() == kept[name]


def test_what_rotted_at_central_is_taken_again(sender: Sender) -> None:
    name, content = next(iter(sender.lines().items()))
    receipt = sender.deposit(name, content)
    file = sender.central.folder / "objects" / path_of(sender.site.fingerprint, name, receipt.sha256)
    assert file.read_bytes() == content
    file.chmod(0o600)
    file.write_bytes(content[:-2] + b"?\n")
    assert sender.deposit(name, content) == receipt
    assert file.read_bytes() == content
