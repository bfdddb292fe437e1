"""Bodies and heads without end or sense: refused, bounded, and never a defect."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bottle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webui.made_answers import made_keeper
from tests.webui.visiting import Clock, made_site, signed_in, visitor
from webui import app, incoming
from webui.rights import Right
from webui.routing import Route, Saved


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Any]:
    clock = Clock()
    made = made_site(tmp_path, made_keeper("good", clock()), clock)
    yield made
    made.accounts.close()


def test_bodies_are_bounded(site: Any) -> None:
    browser = signed_in(site)
    form = "application/x-www-form-urlencoded"
    for body, headers, status in (
        (b"a=" + b"x" * incoming.FORM_BYTES, {}, 413),
        (b"&".join(b"a%d=" % number for number in range(incoming.FIELDS + 1)), {}, 413),
        (b"current=" + b"x" * (incoming.TEXT_CHARACTERS + 1), {}, 413),
        (b"a=b", {"Content-Length": "999999999999999999999"}, 413),
        (b"a=b", {"Content-Length": "-1"}, 411),
        (b"a=b", {"Content-Length": "²"}, 411),
        (b"a=b", {"Content-Length": "30"}, 400),
        (b"a=b", {"Transfer-Encoding": "chunked"}, 411),
    ):
        answer = browser.request("POST", "/account/password", body, form, headers)
        assert answer.status == status, headers
    many = "multipart/form-data; boundary=x"
    for body in (
        b"",
        b"--x",
        b"--x\r\n",
        b"--x\r\n\r\n--x--",
        b"--x\r\nContent-Disposition: y\r\n\r\n--x--\r\n",
    ):
        assert browser.request("POST", "/account/password", body, many).status in (400, 403)


def test_no_upload_ever_lies_in_a_temporary_file(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could be a custodian's key."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile"):
        monkeypatch.setattr(f"tempfile.{name}", refuse)
        monkeypatch.setattr(bottle, name, refuse, raising=False)
    got: list[Any] = []
    taking = Route(
        "POST", "/taking", Right.SELF, lambda asked: (got.append(asked.files), Saved("", "a/b", b""))[1]
    )
    monkeypatch.setattr(app, "ROUTES", (taking,))
    content = bytes(range(256)) * 1_900
    answer = signed_in(site).upload("/taking", {"x": "é"}, {"key": ("../clé.age", content)})
    assert answer.status == 200
    assert got[0]["key"].content == content
    assert got[0]["key"].name == "../clé.age"


KINDS = st.sampled_from(
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "",
     "multipart/form-data; boundary=x; charset=utf-16", f"multipart/form-data; boundary={'x' * 70_000}",
     "text/html"]
)  # fmt: skip
PIECES = st.sampled_from(
    [b"--x", b"--x--", b"\r\n", b"Content-Disposition: form-data; name=", b'"csrf"', b"=", b"&", b"%", b"%ff",
     b"\xff", b"a", b'; filename="', b"Content-Length: 5", b":"]
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=KINDS, pieces=st.lists(st.one_of(PIECES, st.binary(max_size=20)), max_size=30))
def test_no_body_is_a_defect(site: Any, kind: str, pieces: list[bytes]) -> None:
    answer = visitor(site).request("POST", "/sign-in", b"".join(pieces), kind)
    assert 400 <= answer.status < 500


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(max_size=30).map(lambda text: "/" + text.partition("?")[0]),
    query=st.text(st.characters(max_codepoint=255), max_size=40),
    headers=st.dictionaries(
        st.sampled_from(
            ["Cookie", "Accept-Language", "Origin", "User-Agent", "Accept-Encoding", "If-None-Match"]
        ),
        st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60),
    ),
)
def test_no_head_is_a_defect(site: Any, path: str, query: str, headers: dict[str, str]) -> None:
    quoted = quote(path, errors="replace")
    answer = visitor(site).request("GET", f"{quoted}?{query}", headers=headers)
    assert answer.status < 500
    assert all("\n" not in value and "\r" not in value for _, value in answer.headers)


def test_a_refused_form_gives_no_secret_back(site: Any) -> None:
    browser = signed_in(site, name="Éva")
    secrets = {
        "current": "wrong-but-mine-1",
        "new_password": "brume-cerise-pont",
        "password_again": "other-cerise",
    }
    answer = browser.post("/account/password", secrets)
    assert answer.status >= 400
    assert not [secret for secret in secrets.values() if secret in answer.text]
