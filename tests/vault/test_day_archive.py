"""A day's statistics packed: every byte comes back, and what was damaged or forged is refused."""

import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.errors import DecodeError
from appliance.vault import day_archive
from appliance.vault.day_archive import pack, unpacked

DAY = "2026-03-14"
HOUR = (
    '{"hour":"2026-03-14T13:00:00Z","users":12,"cells":['
    '{"place":"02:50:5e:10:00:03","use":"video","bytes":7000,"connections":9,"clients":5},'
    '{"place":"vlan 20","use":"other","bytes":0,"connections":0,"clients":3,"at_least":true}]}\n'
)
FEW = '{"hour":"2026-03-14T14:00:00Z","too_few":true}\n'
WHOLE = '{"day":"2026-03-14","users":57,"at_least":true,"systems":[{"system":"android","clients":31}]}\n'
NOBODY = '{"day":"2026-03-14","too_few":true,"systems":[]}\n'
SOME = '{"day":"2026-03-14","users":57,"systems":[],"too_few":true}\n'

COUNT = st.one_of(st.integers(0, 300), st.integers(0, (1 << 63) - 1))
CUT = st.sampled_from(({}, {"at_least": True}))


def packed(*texts: str) -> bytes:
    files = {f"cafe0123-{number:06}.jsonl": (text.encode(), number) for number, text in enumerate(texts)}
    archive, left_out = pack(DAY, files)
    assert left_out == []
    return archive


@st.composite
def lines(draw: st.DrawFn) -> str:
    few, count = draw(st.booleans()), draw(COUNT)
    told = {"too_few": True} if few else {"users": count} | draw(CUT)
    if draw(st.booleans()):
        systems = [{"system": draw(WORDS), "clients": draw(COUNT)} | draw(CUT) for _ in range(draw(ROWS))]
        made = {"day": DAY, **told, "systems": systems} | draw(st.sampled_from(({}, {"too_few": True})))
    else:
        cells = [
            {"place": draw(WORDS), "use": draw(WORDS), "bytes": draw(COUNT), "connections": draw(COUNT)}
            | {"clients": draw(COUNT)}
            | draw(CUT)
            for _ in range(draw(ROWS))
        ]
        made = {"hour": f"{DAY}T{draw(st.integers(0, 23)):02}:00:00Z", **told}
        made |= {"cells": cells} if cells and not few else {}
    return json.dumps(made, separators=(",", ":")) + "\n"


WORDS = st.text(st.sampled_from("abc:09 _-"), min_size=1, max_size=17)
ROWS = st.integers(0, 3)


@given(st.lists(st.lists(lines(), max_size=4).map("".join), max_size=4))
@settings(deadline=None)
def test_every_byte_comes_back(texts: list[str]) -> None:
    found = list(unpacked(packed(*texts)))
    assert found == [(f"cafe0123-{number:06}.jsonl", text.encode()) for number, text in enumerate(texts)]


def test_the_first_line_says_what_lies_in_it() -> None:
    archive = packed(HOUR + FEW, WHOLE)
    told = [(one.name, one.size_bytes, one.written_ns) for one in day_archive.files_of(archive)]
    assert told == [
        ("cafe0123-000000.jsonl", len(HOUR + FEW), 0),
        ("cafe0123-000001.jsonl", len(WHOLE), 1),
    ]
    assert json.loads(archive.partition(b"\n")[0])["format"] == "greffier statistics archive 1"


@pytest.mark.parametrize(
    "text",
    [
        "{}\n",
        "[]\n",
        "5\n",
        "\n",
        "[" * 100_000,
        HOUR.rstrip(),
        HOUR.replace(",", ", "),
        HOUR.replace("03-14", "03-15"),
        HOUR.replace("7000", "7000.5"),
        HOUR.replace("7000", "-1"),
        HOUR.replace("7000", "1" + 30 * "0"),
        HOUR.replace("video", "vidéo"),
        HOUR.replace("video", "vi\\u0064eo"),
        HOUR.replace('"clients":5', '"clients":5,"mac":"02:00:00:00:00:01"'),
        HOUR.replace("T13:", "T25:"),
        WHOLE.replace("systems", "cells"),
    ],
)
def test_a_file_that_would_not_come_back_is_left_out(text: str) -> None:
    files = {"cafe0123-000000.jsonl": (HOUR.encode(), 0), "cafe0123-000001.jsonl": (text.encode(), 0)}
    archive, left_out = pack(DAY, files)
    assert left_out == ["cafe0123-000001.jsonl"]
    assert list(unpacked(archive)) == [("cafe0123-000000.jsonl", HOUR.encode())]


def test_a_name_that_is_not_ours_is_left_out() -> None:
    assert pack(DAY, {"../../etc/cron.d/x.jsonl": (HOUR.encode(), 0)})[1] == ["../../etc/cron.d/x.jsonl"]


@given(st.data())
@settings(deadline=None)
def test_damage_is_found_or_does_no_harm(data: st.DataObject) -> None:
    """Within the first line a name or an instant may change unseen: nothing signs these files."""
    archive = packed(HOUR + FEW, WHOLE)
    body = archive.index(b"\n") + 1
    at = data.draw(st.integers(0, len(archive) - 1))
    damaged = bytearray(archive)
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = list(unpacked(bytes(damaged)))
    except DecodeError:
        return
    assert at < body or found == list(unpacked(archive))
    assert len(found) == 2


@pytest.mark.parametrize("cut", [0, 1, 40, -1, -5])
def test_an_archive_that_was_cut_is_refused(cut: int) -> None:
    with pytest.raises(DecodeError):
        list(unpacked(packed(HOUR, WHOLE)[:cut]))


def told(**changed: object) -> bytes:
    head, _, planes = packed(HOUR, WHOLE).partition(b"\n")
    return json.dumps(json.loads(head) | changed).encode() + b"\n" + planes


@pytest.mark.parametrize(
    "archive",
    [
        told(format="greffier statistics archive 2"),
        told(lines=1 << 40),
        told(lines=1),
        told(cells=1 << 40),
        told(cells=-1),
        told(cells=2),
        told(cells=True),
        told(words=["vlan 20"]),
        told(words=[["a"], "b", "c", "d", "e"]),
        told(words=["<script>" * 10, "b", "c", "d", "e"]),
        told(words=None),
        told(day="../../.."),
        told(files=[["../../x", 1, 1, 2]]),
        told(files=[["cafe0123-000000.jsonl", 1, 1]]),
        told(files={}),
        b"[" * 100_000 + b"\n",
        b"x" * 100_000,
        b"",
    ],
)
def test_a_forged_archive_is_refused(archive: bytes) -> None:
    with pytest.raises(DecodeError):
        list(unpacked(archive))


def test_a_bomb_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    head = packed(HOUR, WHOLE).partition(b"\n")[0]
    bomb = head + b"\n" + zlib.compress(bytes(1 << 24), 9)
    asked: list[int] = []
    whole = zlib.decompressobj

    class Watched:
        def __init__(self) -> None:
            self._inflater = whole()
            self.eof = False

        def decompress(self, content: bytes, limit: int) -> bytes:
            given = self._inflater.decompress(content, limit)
            asked.append(len(given))
            return given

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(DecodeError):
        list(unpacked(bomb))
    assert len(asked) == 1
    assert asked[0] < 1000


def by_the_letter(archive: bytes) -> dict[str, list[dict[str, object]]]:
    """Written from FORMAT.md alone, without Greffier and without numpy: what each file's lines say."""
    first, _, rest = archive.partition(b"\n")
    head, planes = json.loads(first), zlib.decompress(rest)

    def column(width: int, count: int) -> list[int]:
        nonlocal planes
        mine, planes = planes[: width * count], planes[width * count :]
        return [int.from_bytes(mine[row::count], "little") for row in range(count)]

    lines = list(zip(*(column(width, head["lines"]) for width in (1, 1, 8, 4)), strict=True))
    cells = iter(list(zip(*(column(width, head["cells"]) for width in (2, 2, 8, 8, 8, 1)), strict=True)))
    left = iter(lines)
    found: dict[str, list[dict[str, object]]] = {}
    for name, _, _, count in head["files"]:
        found[name] = []
        for _ in range(count):
            hour, marks, users, of_line = next(left)
            told: dict[str, object] = {"day": head["day"]}
            if hour != 255:
                told = {"hour": f"{head['day']}T{hour:02}:00:00Z"}
            told |= {"users": users} if marks & 1 else {}
            told |= {"at_least": True} if marks & 2 else {}
            told |= {"too_few": True} if marks & 4 else {}
            listed = [cell_by_the_letter(next(cells), head["words"]) for _ in range(of_line)]
            told |= {"cells" if hour != 255 else "systems": listed} if marks & 8 else {}
            found[name].append(told)
    assert planes == b""
    return found


def cell_by_the_letter(cell: tuple[int, ...], words: list[str]) -> dict[str, object]:
    place, name, octets, connections, clients, at_least = cell
    told: dict[str, object] = {"system": words[name]}
    if place != 65535:
        told = {"place": words[place], "use": words[name], "bytes": octets, "connections": connections}
    return told | {"clients": clients} | ({"at_least": True} if at_least else {})


@given(st.lists(st.lists(lines(), max_size=4).map("".join), max_size=3))
@settings(deadline=None, max_examples=40)
def test_it_is_what_the_format_says(texts: list[str]) -> None:
    found = by_the_letter(packed(*texts))
    assert list(found.values()) == [[json.loads(line) for line in text.splitlines()] for text in texts]
