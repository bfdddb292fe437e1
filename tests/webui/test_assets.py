"""The files that every page is made of: those of others are unchanged, those that are named are there."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.webui.made_answers import made_keeper
from tests.webui.visiting import Clock, made_site, visitor
from webui.assets import FOLDER, assets
from webui.rendering import TEMPLATES

TEXTS = {file.name: file.read_text(encoding="utf-8") for file in sorted(TEMPLATES.rglob("*.html"))}
OF_SCRIPTS = re.compile(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|javascript:")


def test_files_of_others_are_as_they_were_published() -> None:
    vendor = FOLDER / "vendor"
    listed = re.findall(r"^ {4}([0-9a-f]{64}) {2}(\S+)$", (vendor / "README.md").read_text(), re.MULTILINE)
    assert {name for _, name in listed} == {
        file.relative_to(vendor).as_posix() for file in vendor.rglob("*.min.*")
    }
    for digest, name in listed:
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest
    for folder in (it for it in vendor.iterdir() if it.is_dir()):
        assert (
            "Permission is hereby granted" in (folder / "LICENSE").read_text()
            or "ISC" in (folder / "LICENSE").read_text()
        )


def test_every_icon_that_is_named_is_there() -> None:
    drawn = set(re.findall(r'<symbol id="(\w+)"', assets()["vendor/lucide/icons.svg"].content.decode()))
    named = {name for text in TEXTS.values() for name in re.findall(r'\bicon\("(\w+)"', text)}
    named |= {name for text in TEXTS.values() for name in re.findall(r'icon_name="(\w+)"', text)}
    assert len(named) > 15
    assert named <= drawn


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_template_has_script_or_style_of_its_own(name: str) -> None:
    """The policy would refuse them, and the page would do without."""
    assert not OF_SCRIPTS.search(TEXTS[name])


def test_only_files_that_were_there_are_served(tmp_path: Path) -> None:
    browser = visitor(made_site(tmp_path, made_keeper("good", Clock()())))
    good = browser.get(f"/static/greffier.css?v={assets()['greffier.css'].version}")
    assert good.status == 200
    assert "immutable" in good.header("Cache-Control")
    assert good.body == (FOLDER / "greffier.css").read_bytes()
    for path in ("../rights.py", "..%2frights.py", "%2e%2e/site.py", "vendor/README.md", "/etc/passwd", ""):
        assert browser.get(f"/static/{path}").status in (303, 404)
