"""Lines that no box writes, some rightly signed by a thief who has its key: faults, never an error."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.audit import book, lines, volume
from appliance.audit.check import check
from appliance.control import messages as m
from appliance.control.messages import Audit
from appliance.control.steps import Step
from appliance.services.keeping.answering import Answering
from appliance.services.keeping.at_hand import AtHand
from appliance.vault import canonical, signing
from tests.audit.test_book import CLAIRE
from tests.vault.made_homes import Box, make_box

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = ("seq", "prev", "at", "name", "role", "origin", "step", "subject", "details", "ended", "extra")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    made = make_box(tmp_path_factory.mktemp("box"))
    for _ in range(2):
        book.note(made.home, CLAIRE, Step.SIGN_IN, clock=made.clock)
    return made


def judged(box: Box, content: bytes) -> list[str]:
    """The faults of a home whose book has this content; the page can show it, too."""
    path = volume.path_of(box.home)
    good = path.read_bytes()
    try:
        path.write_bytes(content)
        at = AtHand(box.home.path, box.clock)
        answer = Answering(at)(m.Request(CLAIRE, m.AskAudit()))
        assert isinstance(answer, Audit)
        assert msgspec.json.encode(answer)
        return [fault.what for fault in check(box.home).faults]
    finally:
        path.write_bytes(good)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from(FIELDS), value=JSON, place=st.sampled_from([0, 1]))
def test_a_line_of_any_form_that_the_key_signed_is_a_fault(
    box: Box, field: str, value: Any, place: int
) -> None:
    whole = volume.content(box.home).splitlines(keepends=True)
    fields = json.loads(whole[place])
    if fields.get(field) == value:
        return
    del fields["sig"]
    fields[field] = value
    signer = signing.load(box.home.signing_key)
    fields["sig"] = signer.sign(lines.PURPOSE, canonical.encode(fields))
    whole[place] = canonical.encode(fields) + b"\n"
    assert judged(box, b"".join(whole))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=400)
    | st.lists(JSON).map(lambda some: b"\n".join(json.dumps(x).encode() for x in some))
)
def test_bytes_of_any_kind_are_a_fault(box: Box, content: bytes) -> None:
    assert judged(box, content)


def test_depth_and_length_are_bounded(box: Box) -> None:
    for content in (b"[" * 200_000 + b"\n", b"9" * 100_000 + b"\n", b'{"seq":' + b"9" * 10_000 + b"}\n"):
        assert judged(box, content)
    assert Path(volume.path_of(box.home)).exists()
