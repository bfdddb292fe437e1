"""What the page says of the works of others, judged by the lock file and by the files that are there."""

import io
import re
import tarfile
from pathlib import Path

from webui import licences

ROOT = Path(__file__).parents[2]


def locked():
    """The packages that a box installs."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    names = {found[1].lower() for line in lines if (found := re.match(r"([A-Za-z0-9._-]+)==", line))}
    return names - {"setuptools"}  # builds the package, and is not part of it


def test_every_package_that_a_box_installs_is_named_with_its_licence():
    shown = {part.name.lower().replace("_", "-"): part for part in licences.parts()}
    assert not locked() - set(shown)
    assert not [name for name in locked() if not shown[name].licence]


def test_nearly_every_licence_comes_with_its_text():
    """Some packages ship none; the page then names it and links to their own page."""
    without = [part.name for part in licences.parts() if not part.texts]
    assert len(without) <= 4, without
    assert all(part.page for part in licences.parts() if not part.texts)


def test_the_vendored_files_are_named_too():
    folders = {folder.name for folder in (ROOT / "webui/static/vendor").iterdir() if folder.is_dir()}
    shown = {part.name.partition(" ")[0].lower() for part in licences.parts()}
    assert folders <= shown


def test_the_source_is_whole_and_holds_nothing_of_a_box():
    with tarfile.open(fileobj=io.BytesIO(licences.source())) as archive:
        names = set(archive.getnames())
        mine = archive.extractfile("greffier/webui/licences.py")
        assert mine is not None
        assert mine.read() == (ROOT / "webui/licences.py").read_bytes()
    for file in (*(ROOT / "webui").rglob("*.py"), *(ROOT / "appliance").rglob("*.toml")):
        assert f"greffier/{file.relative_to(ROOT)}" in names
    assert "greffier/LICENSE" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".key", ".pem"))]
