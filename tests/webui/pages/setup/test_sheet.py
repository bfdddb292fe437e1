"""The recovery sheet brings a key back: judged by a reader of PDFs, a reader of QR codes and age itself."""

import datetime as dt
import io
import subprocess
from pathlib import Path

import pytest
from pypdf import PdfReader

from appliance.runtime import custodian_keys
from webui.pages.setup.sheet import written

MOMENT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
SITE, NAME, FILE = "Hôtel de l’Œuvre – Nîmes", "Élodie Ça-Roÿ", "elodie-ca-roy.key"


def scanned(pdf: bytes, folder: Path) -> bytes:
    """What a phone that is held before the printed sheet reads."""
    (folder / "sheet.pdf").write_bytes(pdf)
    subprocess.run(
        ["pdftoppm", "-r", "150", "-gray", "-png", "-singlefile", "sheet.pdf", "sheet"],
        cwd=folder,
        check=True,
    )
    found = subprocess.run(
        ["zbarimg", "--quiet", "--raw", "--oneshot", "-Sbinary", "sheet.png"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return found.stdout


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_the_code_on_the_sheet_is_the_key_file(tmp_path: Path, language: str, passphrase: str | None) -> None:
    recipient, key = custodian_keys.draw(passphrase, MOMENT)
    pdf = written(language, SITE, NAME, recipient, key, passphrase is not None, "a.key", MOMENT)
    assert scanned(pdf, tmp_path) == key
    if passphrase is None:
        (tmp_path / "back.key").write_bytes(key)
        shown = subprocess.run(
            ["age-keygen", "-y", tmp_path / "back.key"], capture_output=True, text=True, check=True
        )
        assert shown.stdout.strip() == recipient


@pytest.mark.parametrize(("language", "title"), [("fr", "Fiche de récupération"), ("en", "Recovery sheet")])
def test_the_sheet_is_one_page_with_every_letter(language: str, title: str) -> None:
    recipient, key = custodian_keys.draw(None, MOMENT)
    reader = PdfReader(io.BytesIO(written(language, SITE, NAME, recipient, key, False, FILE, MOMENT)))
    assert len(reader.pages) == 1
    text = reader.pages[0].extract_text()
    for word in (title, SITE, NAME, recipient[:31], recipient[31:], "AGE-SECRET-KEY-", FILE):
        assert word in text
