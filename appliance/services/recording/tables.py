"""The tables of `classify` from their files: the shipped ones, or those a box carries in their place."""

from pathlib import Path

from appliance import classify
from appliance.classify.tables import Tables, parse_domains, parse_fingerprints, parse_ports
from appliance.model.errors import HomeError

FOLDER = "classify"
"""In a box's home: domains.toml, ports.toml and fingerprints.toml there stand in for the shipped ones."""


def load(home: Path | None = None) -> Tables:
    """The tables that count for this box. Raises HomeError naming file, line and key of a mistake."""
    return Tables(
        parse_domains(*_text(home, "domains.toml")),
        parse_ports(*_text(home, "ports.toml")),
        parse_fingerprints(*_text(home, "fingerprints.toml")),
    )


def _text(home: Path | None, name: str) -> tuple[str, str]:
    """Text of the file that counts, and how to name it."""
    path = Path(str(classify.__file__)).parent / name
    if home is not None and (home / FOLDER / name).exists():
        path = home / FOLDER / name
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"cannot read {path}: {error}; check who owns it and that it is text") from error
