"""Templates are read once: what an upgrade does to the files changes nothing of a page that runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from webui import rendering


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    copied = tmp_path / "templates"
    shutil.copytree(rendering.TEMPLATES, copied)
    monkeypatch.setattr(rendering, "TEMPLATES", copied)
    _forget()
    yield copied
    _forget()


def _forget() -> None:
    rendering.sources.cache_clear()
    rendering.environment.cache_clear()


def test_a_page_that_runs_needs_no_file_of_a_template_any_more(folder: Path) -> None:
    assert set(rendering.sources()) == {file.name for file in folder.iterdir()}
    shutil.rmtree(folder)
    for language in ("fr", "en"):
        assert rendering.environment(language).get_template("settings.html").render is not None
