"""Settings, colours and logos of the page."""

import io
import os
import random
import tomllib

import pytest
from PIL import Image, PngImagePlugin

from appliance.model.errors import HomeError
from webui import colours, logos, settings
from webui.settings import Branding, Contacts


def test_what_is_set_is_there_for_the_next_process(tmp_path):
    one, other = settings.open(tmp_path), settings.open(tmp_path)
    assert other.values() == settings.Values()

    one.change(places={"vlan 20": "Hall d’accueil"}, groups={"Rez-de-chaussée": ("vlan 20", "none")})
    one.change(contacts=Contacts(controller='Hôtel « Les "Pins" »'), branding=Branding("Pins", "#205080"))

    assert other.values() == one.values()
    assert other.values().name_of("vlan 20") == "Hall d’accueil"
    assert other.values().name_of("vlan 21") == "vlan 21"
    with (tmp_path / settings.NAME).open("rb") as file:
        assert tomllib.load(file)["contacts"]["controller"] == 'Hôtel « Les "Pins" »'
    assert (tmp_path / settings.NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("branding", Branding("x" * 61)),
        ("branding", Branding("")),
        ("branding", Branding("a\nb")),
        ("branding", Branding("x", "red")),
        ("branding", Branding("x", "#12345g")),
        ("branding", Branding("x", "#123456;}")),
        ("contacts", Contacts(email="a\r\nBcc: b")),
        ("places", {"vlan 1": "\x00"}),
        ("groups", {"empty": ()}),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(tmp_path, part, value):
    kept = settings.open(tmp_path)
    kept.change(places={"vlan 2": "Bar"})
    with pytest.raises(ValueError, match=":"):
        kept.change(**{part: value})
    assert settings.open(tmp_path).values() == settings.Values(places={"vlan 2": "Bar"})


@pytest.mark.parametrize("text", ["branding = 3", "not toml", '[branding]\nname = ""', "\udcff"])
def test_a_file_that_somebody_broke_is_named(tmp_path, text):
    (tmp_path / settings.NAME).write_bytes(text.encode(errors="surrogateescape"))
    broken = settings.open(tmp_path)
    assert broken.values() == settings.Values()
    assert "settings.toml" in broken.fault()
    with pytest.raises(HomeError, match=r"settings\.toml"):
        broken.change(places={"vlan 1": "Bar"})
    (tmp_path / settings.NAME).unlink()
    assert broken.fault() == ""


def test_every_colour_becomes_legible_in_both_themes():
    chosen = random.Random(7)
    drawn = [f"#{chosen.randrange(1 << 24):06x}" for _ in range(500)]
    for colour in ["#000000", "#ffffff", "#ffff00", "#777777", "#0000ff", *drawn]:
        for is_dark, page in ((False, "#edf1f7"), (True, "#202a37")):
            made = colours.shades(colour, is_dark)
            assert colours.contrast(colours.of(made.ink), colours.of(made.ground)) >= 4.5
            assert colours.contrast(colours.of(made.ink), colours.of(made.hover)) >= 4.5
            assert colours.contrast(colours.of(made.text), colours.of(page)) >= 4.5


def test_contrast_is_that_of_the_recommendation():
    """Ratios that WCAG's own documents and checkers give."""
    for one, other, ratio in (
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#0000ff", "#ffffff", 8.59),
    ):
        assert colours.contrast(colours.of(one), colours.of(other)) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_logo_is_drawn_anew_and_carries_nothing_along(form):
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", "taken at 48.85,2.35")
    drawn = io.BytesIO()
    Image.new("RGB", (900, 300), "navy").save(drawn, form, **({"pnginfo": told} if form == "PNG" else {}))

    cleaned = logos.cleaned(drawn.getvalue() + b"<script>alert(1)</script>")

    with Image.open(io.BytesIO(cleaned)) as picture:
        assert (picture.format, picture.size, picture.info) == ("PNG", (512, 171), {})
    assert b"script" not in cleaned
    assert b"48.85" not in cleaned


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"GIF89a" + bytes(100),
        os.urandom(500_000),
    ],
)
def test_what_is_no_picture_is_no_logo(content):
    with pytest.raises(ValueError, match=r"logo|picture"):
        logos.cleaned(content)


def test_a_picture_that_would_fill_the_memory_is_refused():
    drawn = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(drawn, "PNG")
    assert len(drawn.getvalue()) < logos.SIZE_LIMIT_BYTES
    with pytest.raises(ValueError, match="pixels"):
        logos.cleaned(drawn.getvalue())


def test_a_logo_is_kept_and_taken_away(tmp_path):
    kept = settings.open(tmp_path)
    assert kept.logo() is None
    kept.keep_logo(b"picture")
    assert settings.open(tmp_path).logo() == b"picture"
    kept.keep_logo(b"")
    assert kept.logo() is None
