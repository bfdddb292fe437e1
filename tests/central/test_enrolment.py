"""Enrolment: one code, one box, a day; and whoever fails learns nothing of why."""

import hashlib
import hmac
import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.central import enrolment, places, sites
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.refusals import Malformed, NotAuthorised
from appliance.central.tables import Code, Site
from appliance.config.central import CentralConfig
from appliance.model.errors import CentralError
from appliance.model.instants import HOUR_NS
from appliance.replication import claims, enrolments, identity
from appliance.replication.identity import EnrolmentCode
from appliance.vault import chain, signing
from tests.central.made_sites import events
from tests.central.servers import FOLDER, SERVERS
from tests.vault.made_homes import Box, make_box

NOW_NS = 1_773_500_400_000_000_000
both = pytest.mark.parametrize("central_kind", [FOLDER, SERVERS], indirect=True)


@pytest.fixture
def central_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FOLDER))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return make_box(tmp_path / "box")


def signer_of(box: Box) -> signing.Signer:
    return signing.load(box.home.signing_key)


def first_line(box: Box) -> str:
    return chain.content(box.home).partition(b"\n")[0].decode("ascii")


def request(box: Box, code: EnrolmentCode) -> bytes:
    return enrolments.request(signer_of(box), "Hôtel du Port", code, first_line(box))


def changed(box: Box, content: bytes, **fields: Any) -> bytes:
    """A request with other fields, signed again by the box: it is wrong in nothing else."""
    said = json.loads(content) | fields
    del said["sig"]
    message = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    said["sig"] = signer_of(box).sign(b"greffier enrolment 1", message)
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


@both
def test_a_box_with_a_code_becomes_a_site_that_may_send(central: Central, box: Box) -> None:
    code = enrolment.new_code(central, "Hôtel du Port", {"traffic": 2}, NOW_NS)
    assert enrolment.used_by(central, code) is None
    answer = enrolments.parse_answer(
        enrolment.admit(central, request(box, code), NOW_NS + 1), central.identity
    )
    key = bytes.fromhex(signer_of(box).box)
    assert answer.site == hashlib.sha256(key).hexdigest() == enrolment.used_by(central, code)
    assert (answer.name, answer.at_ns) == ("Hôtel du Port", NOW_NS + 1)
    (site,) = sites.every(central)
    assert (site.public_key, sites.terms_of(site)) == (key.hex(), {"traffic": 2, "source": 1})
    line = chain.content(box.home).partition(b"\n")[0] + b"\n"
    digest = hashlib.sha256(line).hexdigest()
    claim = claims.make(signer_of(box), f"chain/000000000000-{digest[:16]}", digest, len(line))
    assert Receiver(central).deposit(claim, io.BytesIO(line)).sequence == 1
    assert [event.kind for event in (*events(central, "code-given"), *events(central, "enrolled"))] == [
        "code-given",
        "enrolled",
    ]


def test_the_secret_travels_nowhere_and_stays_nowhere(central: Central, box: Box) -> None:
    code = enrolment.new_code(central, "Hôtel du Port", {}, NOW_NS)
    content = request(box, code)
    said = json.loads(content)
    raw = bytes.fromhex(code.secret)
    assert said["secret_id"] == hashlib.sha256(raw).hexdigest()[:16]
    message = f"greffier enrolment 1\n{said['site_key']}\n{code.identity}".encode()
    assert said["proof"] == hmac.digest(raw, message, "sha256").hex()
    assert code.secret.encode() not in content
    enrolment.admit(central, content, NOW_NS)
    assert [row.secret for row in Code.select().execute(central.database)] == [None]
    assert code.secret not in events(central, "code-given")[0].line


def test_a_code_is_for_one_box_and_the_same_box_is_answered_the_same(
    central: Central, box: Box, tmp_path: Path
) -> None:
    code = enrolment.new_code(central, "Hôtel du Port", {}, NOW_NS)
    first = enrolment.admit(central, request(box, code), NOW_NS)
    assert enrolment.admit(central, request(box, code), NOW_NS + HOUR_NS) == first
    other = make_box(tmp_path / "other")
    with pytest.raises(NotAuthorised):
        enrolment.admit(central, request(other, code), NOW_NS)
    assert len(sites.every(central)) == len(events(central, "enrolled")) == 1


def test_a_known_box_with_a_new_code_is_the_same_site_and_its_terms_grow_only(
    central: Central, box: Box
) -> None:
    terms: list[dict[str, int]] = [{"traffic": 2}, {"traffic": 1, "source": 3}]
    for name, term in zip(("Hôtel du Port", "Hôtel du Phare"), terms, strict=True):
        code = enrolment.new_code(central, name, term, NOW_NS)
        enrolment.admit(central, request(box, code), NOW_NS)
    (site,) = sites.every(central)
    assert (site.name, sites.terms_of(site)) == ("Hôtel du Phare", {"traffic": 2, "source": 3})
    assert len(events(central, "enrolled")) == len(events(central, "enrolled-again")) == 1


def test_every_failure_is_told_alike_and_changes_nothing(central: Central, box: Box, tmp_path: Path) -> None:
    code = enrolment.new_code(central, "Hôtel du Port", {}, NOW_NS)
    other = make_box(tmp_path / "other")
    spent = enrolment.new_code(central, "Hôtel du Quai", {}, NOW_NS)
    enrolment.admit(central, request(other, spent), NOW_NS)
    ended = make_box(tmp_path / "ended")
    its = enrolment.new_code(central, "Hôtel de la Gare", {}, NOW_NS)
    enrolment.admit(central, request(ended, its), NOW_NS)
    fingerprint = signer_of(ended).fingerprint
    Site.update(state=sites.ENDING).where(Site.fingerprint == fingerprint).execute(central.database)
    fresh = enrolment.new_code(central, "Hôtel de la Gare", {}, NOW_NS)
    good = request(box, code)
    proof = json.loads(good)["proof"]
    hostile = {
        "unknown code": (request(box, identity.new_code(central.identity)), NOW_NS),
        "a guessed secret": (request(box, EnrolmentCode("00" * 10, code.identity)), NOW_NS),
        "code of another central": (request(box, EnrolmentCode(code.secret, "00" * 10)), NOW_NS),
        "too late": (good, NOW_NS + 24 * HOUR_NS),
        "spent by another": (request(box, spent), NOW_NS),
        "ended contract": (request(ended, fresh), NOW_NS),
        "ended contract, same code": (request(ended, its), NOW_NS),
        "wrong proof": (changed(box, good, proof="0" * 64), NOW_NS),
        "proof in capitals": (changed(box, good, proof=proof.upper() + "A"), NOW_NS),
        "proof that is no text of ours": (changed(box, good, proof="é"), NOW_NS),
        "proof of another key": (changed(other, good, site_key=signer_of(other).box), NOW_NS),
        "no line": (changed(box, good, line=""), NOW_NS),
        "line of another box": (changed(box, good, line=first_line(other)), NOW_NS),
        "line that is changed": (changed(box, good, line=first_line(box).replace("Port", "Quai")), NOW_NS),
    }
    before = [site.__data__ for site in sites.every(central)]
    said = set()
    for content, at_ns in hostile.values():
        with pytest.raises(NotAuthorised) as refused:
            enrolment.admit(central, content, at_ns)
        said.add((type(refused.value), str(refused.value)))
    assert len(said) == 1
    assert [site.__data__ for site in sites.every(central)] == before
    assert enrolment.used_by(central, code) is None
    assert enrolment.admit(central, good, NOW_NS)  # and the code is still good


def test_what_is_no_request_is_malformed(central: Central, box: Box, tmp_path: Path) -> None:
    code = enrolment.new_code(central, "Hôtel du Port", {}, NOW_NS)
    good = request(box, code)
    said = json.loads(good)
    unsigned = json.dumps(said | {"name": "x"}, sort_keys=True, separators=(",", ":")).encode()
    for content in (b"", b"{}", good + b"\n", good[:-1], json.dumps(said).encode(), unsigned, b"[" * 9000):
        with pytest.raises(Malformed):
            enrolment.admit(central, content, NOW_NS)
    too_long = changed(box, good, line="x" * 4096)
    with pytest.raises(Malformed):
        enrolment.admit(central, too_long, NOW_NS)


def test_secrets_are_forgotten_when_their_time_is_over(central: Central) -> None:
    enrolment.new_code(central, "Hôtel du Port", {}, NOW_NS, valid_hours=1)
    enrolment.new_code(central, "Hôtel du Quai", {}, NOW_NS, valid_hours=2)
    assert enrolment.lapse(central, NOW_NS + HOUR_NS - 1) == 0
    assert enrolment.lapse(central, NOW_NS + HOUR_NS) == 1
    assert enrolment.lapse(central, NOW_NS + HOUR_NS) == 0
    secrets = {row.site_name: row.secret for row in Code.select().execute(central.database)}
    assert secrets["Hôtel du Port"] is None
    assert secrets["Hôtel du Quai"] is not None


@pytest.mark.parametrize(
    ("name", "terms", "hours"),
    [
        ("", {}, 24),
        ("two\nlines", {}, 24),
        ("x" * 201, {}, 24),
        ("Hôtel", {"traffic": 0}, 24),
        ("Hôtel", {"traffic": 11}, 24),
        ("Hôtel", {"accounts": 1}, 24),
        ("Hôtel", {}, 0),
        ("Hôtel", {}, 1000),
    ],
)
def test_a_code_that_cannot_be_meant_is_not_made(
    central: Central, name: str, terms: dict[str, int], hours: int
) -> None:
    with pytest.raises(CentralError):
        enrolment.new_code(central, name, terms, NOW_NS, hours)
    assert Code.select().count(central.database) == 0


ADMITTER = """
import sys
from pathlib import Path
from appliance.central import enrolment, places
from appliance.central.refusals import NotAuthorised

central = places.open(Path(sys.argv[1]))
try:
    print(enrolment.admit(central, bytes.fromhex(sys.argv[2]), int(sys.argv[3])).hex())
except NotAuthorised:
    print("refused")
central.close()
"""


@both
def test_of_two_boxes_with_one_code_one_gets_in(central: Central, tmp_path: Path) -> None:
    code = enrolment.new_code(central, "Hôtel du Port", {}, NOW_NS)
    requests = [request(make_box(tmp_path / name), code) for name in "ab"]

    def come(content: bytes) -> bytes:
        command = [sys.executable, "-c", ADMITTER, str(central.folder), content.hex(), str(NOW_NS)]
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(come, requests))
    assert said.count(b"refused\n") == 1
    assert len(sites.every(central)) == 1


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = places.create(tmp_path_factory.mktemp("central") / "c", CentralConfig("Lyon"), ("localhost",))
    yield made, make_box(tmp_path_factory.mktemp("box") / "b")
    made.close()


_texts = st.text(max_size=40)


@given(
    fields=st.dictionaries(
        st.sampled_from(["site_key", "name", "secret_id", "proof", "line", "format", "more"]),
        _texts | st.integers() | st.none() | st.lists(_texts, max_size=2),
    )
)
def test_any_request_is_refused_in_one_of_two_ways(standing: Any, fields: dict[str, Any]) -> None:
    central, box = standing
    content = changed(box, request(box, identity.new_code(central.identity)), **fields)
    with pytest.raises((Malformed, NotAuthorised)):
        enrolment.admit(central, content, NOW_NS)


@given(st.binary(max_size=300))
def test_any_bytes_are_malformed(standing: Any, content: bytes) -> None:
    with pytest.raises(Malformed):
        enrolment.admit(standing[0], content, NOW_NS)


def test_a_site_is_found_by_its_name_or_the_beginning_of_its_fingerprint(
    central: Central, tmp_path: Path
) -> None:
    prints = []
    for name in ("Hôtel du Port", "Hôtel du Port", "Hôtel du Quai"):
        box = make_box(tmp_path / str(len(prints)))
        enrolment.admit(central, request(box, enrolment.new_code(central, name, {}, NOW_NS)), NOW_NS)
        prints.append(signer_of(box).fingerprint)
    assert sites.find(central, "Hôtel du Quai").fingerprint == prints[2]
    assert sites.find(central, prints[1][:8].upper()).fingerprint == prints[1]
    for nobody in ("Hôtel", prints[1][:5], "", "Hôtel du Port"):
        with pytest.raises(CentralError):
            sites.find(central, nobody)
