"""Documents are made by a process of their own, once, one at a time, and are what would be made here."""

import datetime as dt
import io
import tarfile
import threading
import time

import pytest
from pypdf import PdfReader

from webui import licences, press
from webui.documents import Document, Section

NOW = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)
DOCUMENT = Document(
    "fr", "Avis", "Ce réseau…", (Section("Qui", ("SARL Hôtel du Port",), ("a",), (("b", "c"),)),), "x"
)


def test_another_process_makes_what_is_ordered_while_ours_does_next_to_nothing():
    begun_s = time.process_time()
    content = press.printed(DOCUMENT, NOW)
    assert time.process_time() - begun_s < 0.25
    text = PdfReader(io.BytesIO(content)).pages[0].extract_text()
    assert all(word in text for word in ("Avis", "Ce réseau…", "SARL Hôtel du Port"))
    assert press.printed(DOCUMENT, NOW + dt.timedelta(hours=3)) is content  # the same day: it is kept


def test_the_source_comes_as_it_is():
    with tarfile.open(fileobj=io.BytesIO(press.packed())) as archive:
        held = {one.name: one.size for one in archive.getmembers()}
    with tarfile.open(fileobj=io.BytesIO(licences.source())) as archive:
        assert held == {one.name: one.size for one in archive.getmembers()}


def test_however_many_ask_it_is_made_once_and_one_at_a_time():
    made, at_work, most = [], [], []

    def make(order: press.Order) -> bytes:
        at_work.append(order)
        most.append(len(at_work))
        time.sleep(0.02)
        made.append(order)
        at_work.pop()
        return b"made"

    one = press.Press(make)
    days = [dt.date(2026, 11, 1 + number % 3) for number in range(24)]
    askers = [threading.Thread(target=one.of, args=(press.Print(DOCUMENT, day),)) for day in days]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert sorted(order.day.day for order in made) == [1, 2, 3]
    assert set(most) == {1}


def test_few_are_kept():
    one = press.Press(lambda order: b"made")
    for number in range(3 * press.KEPT):
        one.of(press.Print(DOCUMENT, dt.date(2026, 1, 1) + dt.timedelta(days=number)))
    assert len(one._kept) == press.KEPT


def test_who_waits_too_long_is_told_so(monkeypatch):
    monkeypatch.setattr(press, "PATIENCE_S", 0.05)
    may_end = threading.Event()
    one = press.Press(lambda order: b"made" if may_end.wait(5) else b"")
    busy = threading.Thread(target=one.of, args=(press.Pack(),))
    busy.start()
    time.sleep(0.02)
    try:
        with pytest.raises(press.PressError, match="try again"):
            one.of(press.Print(DOCUMENT, NOW.date()))
    finally:
        may_end.set()
        busy.join()


def test_what_breaks_off_is_told_and_not_kept(monkeypatch):
    monkeypatch.setattr(press.sys, "executable", "/bin/false")
    with pytest.raises(press.PressError, match="could not be made"):
        press.printed(DOCUMENT, NOW + dt.timedelta(days=1))
    monkeypatch.undo()
    assert press.printed(DOCUMENT, NOW + dt.timedelta(days=1)).startswith(b"%PDF")
