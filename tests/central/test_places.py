"""A central's folder: what is made, what is refused, and what openssl says of its certificates."""

import dataclasses
import io
import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.central import places, tables
from appliance.config.central import CentralConfig, PlaceConfig
from appliance.https import certificates
from appliance.model.errors import CentralError, CertificateError, StorageError
from appliance.runtime.clock import now_ns
from appliance.vault import signing
from tests.central.made_sites import make_sender
from tests.central.servers import S3, Postgresql

DAY_NS = 86_400 * 10**9
HOSTS = ("central.example", "127.0.0.1", "::1")


def make(folder: Path, **settings: object) -> places.Central:
    return places.create(folder, CentralConfig("Lyon", **settings), HOSTS)  # type: ignore[arg-type]


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def test_it_opens_again_as_it_was_made(central: places.Central) -> None:
    central.close()
    again = places.open(central.folder)
    try:
        assert (again.identity, again.config) == (central.identity, central.config)
        assert again.signer.box == central.signer.box == again.identity.key
        assert tables.Site.select().count(again.database) == 0
    finally:
        again.close()
    furnished = places.furnish(central.folder)  # what is there is left as it is
    assert furnished.identity == central.identity
    furnished.close()


def test_the_folder_holds_what_is_documented_for_its_owner_only(tmp_path: Path) -> None:
    make(tmp_path / "lyon").close()
    found = {
        str(path.relative_to(tmp_path / "lyon")): path.stat().st_mode & 0o777
        for path in (tmp_path / "lyon").rglob("*")
    }
    files = ["central.toml", "central.key", "identity.json", "catalogue.sqlite", "serving.lock"]
    files += [f"tls/{name}" for name in ("ca.pem", "ca.key", "server.pem", "server.key")]
    folders = ["tls", "objects", "objects/.new", "custody", "custody/.new"]
    assert found == dict.fromkeys(files, 0o600) | dict.fromkeys(folders, 0o700)
    assert (tmp_path / "lyon").stat().st_mode & 0o777 == 0o700
    documented = (Path(places.__file__).parent / "README.md").read_text()
    assert not [name for name in files if name.rpartition("/")[2] not in documented]


def test_the_store_is_judged_without_greffier_as_it_is_documented(tmp_path: Path) -> None:
    central = make(tmp_path / "lyon")
    sender = make_sender(central, tmp_path / "box")
    sender.record()
    sender.send_everything()
    central.close()
    text = (Path(places.__file__).parent / "README.md").read_text()
    command = text.partition("```\ncd DIR/objects")[2].partition("```")[0]
    assert "sha256sum --check" in command

    def judged() -> subprocess.CompletedProcess[str]:
        shell = ["bash", "-o", "pipefail", "-c", f"cd {tmp_path}/lyon/objects{command}"]
        return subprocess.run(shell, capture_output=True, text=True, timeout=30)

    assert (judged().returncode, judged().stdout) == (0, "")
    segment = next((tmp_path / "lyon/objects").rglob("*.parquet.*"))
    segment.write_bytes(segment.read_bytes()[:-1])
    assert judged().returncode != 0
    assert segment.name in judged().stdout


def test_the_identity_is_what_openssl_reads_out_of_the_keys(tmp_path: Path) -> None:
    central = make(tmp_path / "lyon")
    central.close()
    said = json.loads((tmp_path / "lyon/identity.json").read_text())
    der = subprocess.run(
        ["openssl", "pkey", "-in", "central.key", "-pubout", "-outform", "DER"],
        cwd=tmp_path / "lyon", capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert said["key"] == der[-32:].hex()
    assert said["authority"] == (tmp_path / "lyon/tls/ca.pem").read_text()
    assert said["name"] == "Lyon"


def test_the_certificates_are_what_boxes_need(tmp_path: Path) -> None:
    make(tmp_path / "lyon").close()
    tls = tmp_path / "lyon/tls"
    for way in (("-verify_hostname", "central.example"), ("-verify_ip", "127.0.0.1"), ("-verify_ip", "::1")):
        strict = ("-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", *way, "server.pem")
        assert "server.pem: OK" in openssl(tls, "verify", *strict)
    wrong = ("verify", "-CAfile", "ca.pem", "-verify_hostname", "other.example", "server.pem")
    assert "hostname mismatch" in openssl(tls, *wrong)
    shown = openssl(tls, "x509", "-in", "ca.pem", "-noout", "-text")
    assert "CA:TRUE, pathlen:0" in shown
    assert "prime256v1" in shown
    assert "CA:FALSE" in openssl(tls, "x509", "-in", "server.pem", "-noout", "-text")


def test_the_server_s_certificate_is_renewed_in_its_last_month_and_the_authority_stays(
    tmp_path: Path,
) -> None:
    make(tmp_path / "lyon").close()
    tls = tmp_path / "lyon/tls"
    before = {path.name: path.read_bytes() for path in tls.iterdir()}
    now = now_ns()
    assert not certificates.renew(tls, HOSTS, now)
    assert not certificates.renew(tls, HOSTS, now + 360 * DAY_NS)
    assert {path.name: path.read_bytes() for path in tls.iterdir()} == before
    later = now + 367 * DAY_NS
    assert certificates.renew(tls, HOSTS, later)
    assert not certificates.renew(tls, HOSTS, later)
    after = {path.name: path.read_bytes() for path in tls.iterdir()}
    assert {name for name in after if after[name] == before[name]} == {"ca.pem", "ca.key"}
    instant = str(later // 10**9)
    assert "server.pem: OK" in openssl(tls, "verify", "-attime", instant, "-CAfile", "ca.pem", "server.pem")
    still = str(later // 10**9 + 390 * 86400)
    assert "server.pem: OK" in openssl(tls, "verify", "-attime", still, "-CAfile", "ca.pem", "server.pem")


def test_other_hosts_get_another_certificate(tmp_path: Path) -> None:
    make(tmp_path / "lyon").close()
    tls = tmp_path / "lyon/tls"
    assert certificates.renew(tls, ("new.example",), now_ns())
    arguments = ("verify", "-CAfile", "ca.pem", "-verify_hostname", "new.example", "server.pem")
    assert "server.pem: OK" in openssl(tls, *arguments)
    (tls / "ca.key").write_text("lost")
    with pytest.raises(CertificateError, match="restore that key"):
        certificates.renew(tls, ("newer.example",), now_ns())


@pytest.mark.parametrize(
    ("settings", "hosts", "why"),
    [
        ({}, (), "needs a name or an address"),
        ({}, ("central example",), "neither a name of a host nor an address"),
        ({}, ("a.example", "a.example"), "given twice"),
    ],
)
def test_what_cannot_be_meant_makes_nothing(
    tmp_path: Path, settings: dict[str, object], hosts: tuple[str, ...], why: str
) -> None:
    with pytest.raises(CentralError, match=why):
        places.create(tmp_path / "lyon", CentralConfig("Lyon", **settings), hosts)  # type: ignore[arg-type]
    assert not (tmp_path / "lyon").exists()


def test_a_folder_that_holds_something_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    with pytest.raises(CentralError, match="never overwritten"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def lose(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def of_another(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        other = make(folder.parent / "other")
        other.close()
        (folder / name).write_bytes((other.folder / name).read_bytes())

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lose("central.toml"), "is not the folder of a central"),
        (lose("central.key"), "cannot use the key .*central.key"),
        (lose("identity.json"), "cannot read .*identity.json"),
        (lose("catalogue.sqlite"), "catalogue.sqlite is missing; restore it"),
        (of_another("central.key"), "is not of the key central.key"),
        (of_another("identity.json"), "is not of the key central.key"),
        (of_another("catalogue.sqlite"), "is another central's"),
        (lambda folder: (folder / "identity.json").write_text("{}\n"), "is not the identity of a central"),
        (lambda folder: (folder / "catalogue.sqlite").write_text("no" * 5000), "cannot be used"),
        (lambda folder: (folder / "central.toml").write_text("name = 1\n"), "line 1: name: must be a text"),
    ],
)
def test_a_folder_with_a_wrong_part_is_not_opened(
    tmp_path: Path, change: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "lyon").close()
    change(tmp_path / "lyon")
    with pytest.raises(CentralError, match=why):
        places.open(tmp_path / "lyon")


def test_a_catalogue_of_another_version_is_not_opened(central: places.Central) -> None:
    tables.About.update(value="99").where(tables.About.key == "schema").execute(central.database)
    central.close()
    for way in (places.open, places.furnish):
        with pytest.raises(CentralError, match=r"of version 99|of another version"):
            way(central.folder)


def test_an_empty_database_in_place_of_the_catalogue_is_not_taken_for_it(
    central: places.Central, postgresql: Postgresql
) -> None:
    """As after a server was set up anew and its backup not yet restored: receipts would begin at 1 again."""
    toml = central.folder / "central.toml"
    central.close()
    text = toml.read_text()
    toml.write_text(
        text.replace(
            f'catalogue = "{central.config.catalogue}"', f'catalogue = "{postgresql.new_database()}"'
        )
    )
    with pytest.raises(CentralError, match="has no tables: restore it"):
        places.open(central.folder)


def test_settings_that_were_given_servers_before_the_first_site_are_furnished(
    tmp_path: Path, s3: S3, postgresql: Postgresql
) -> None:
    first = make(tmp_path / "lyon")
    first.close()
    toml = tmp_path / "lyon/central.toml"
    settings = dataclasses.replace(
        first.config,
        catalogue=postgresql.new_database(),
        store=s3.place(f"objects-{uuid.uuid4().hex[:8]}"),
        custody=s3.place(f"custody-{uuid.uuid4().hex[:8]}"),
    )
    toml.write_text(places.central_toml.render(settings))
    with pytest.raises(CentralError, match="there is no bucket"):
        places.open(tmp_path / "lyon")
    central = places.furnish(tmp_path / "lyon")
    central.close()
    assert (central.config, central.identity) == (settings, first.identity)
    places.open(tmp_path / "lyon").close()
    found = postgresql.psql(settings.catalogue, "SELECT value FROM about WHERE key = 'central'")
    assert found == signing.fingerprint(first.identity.key)


def test_a_store_in_use_is_not_taken_for_a_new_central(
    tmp_path: Path, s3: S3, postgresql: Postgresql
) -> None:
    one = make(tmp_path / "one", store=s3.place(f"objects-{uuid.uuid4().hex[:8]}"))
    one.store.put("a" * 64 + "/statistics/2026-03-14/x.jsonl.e3", io.BytesIO(), 0, EMPTY, None)
    one.close()
    with pytest.raises(CentralError, match="is in use"):
        make(tmp_path / "two", store=one.config.store)
    other = make(tmp_path / "three", catalogue=postgresql.new_database())
    other.close()
    with pytest.raises(CentralError, match="another central's"):
        make(tmp_path / "four", catalogue=other.config.catalogue)


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_servers_that_are_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(CentralError, match="PostgreSQL does not answer"):
        make(tmp_path / "one", catalogue=f"postgresql://greffier@/none?host={tmp_path}")
    keys = tmp_path / "keys"
    keys.write_text("[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
    keys.chmod(0o600)
    place = PlaceConfig("http://127.0.0.1:9", "bucket", "", str(keys))
    with pytest.raises(StorageError, match="see that the store can be reached"):
        make(tmp_path / "two", store=place)
