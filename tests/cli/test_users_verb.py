"""Who has lost everything is helped at the console, and it is written down."""

import json
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.runtime.clock import now_ns
from tests.cli.test_audit_verb import steps
from tests.vault.made_homes import make_box
from tests.webui.visiting import ADDRESS, AGENT, QUICK, Clock
from webui.accounts import opened
from webui.accounts.entrance import Wrong
from webui.accounts.seats import Stage
from webui.rights import Role


def test_another_password_for_who_has_lost_his(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = make_box(tmp_path)
    home = str(box.home.path)
    state = box.home.path.with_name(f"{box.home.path.name}-web")
    state.mkdir()
    accounts = opened.open(state, Clock(), QUICK)
    accounts.users.add("Zoé", Role.OPERATOR, QUICK.hash("x"), None, must_renew=False)
    accounts.users.set_factor(1, "JBSWY3DPEHPK3PXP", 0, ())
    accounts.close()
    assert main(["users", "--home", home]) == 0
    assert "Zoé  operator  with second factor  never signed in" in capsys.readouterr().out
    assert main(["users", "--home", home, "reset", "zoé", "--factor", "--json"]) == 0
    given = json.loads(capsys.readouterr().out)["password"]
    accounts = opened.open(state, now_ns, QUICK)
    assert accounts.entrance.password("Zoé", given, ADDRESS, AGENT, "").stage is Stage.RENEWAL
    with pytest.raises(Wrong):
        accounts.entrance.password("Zoé", "x", ADDRESS, AGENT, "")
    accounts.close()
    assert [(step["step"], step["subject"]) for step in steps(box.home.path, capsys)] == [
        ("reset-user", "Zoé")
    ]


def test_what_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = make_box(tmp_path)
    home = str(box.home.path)
    assert main(["users", "--home", home]) == 4
    assert "holds no accounts" in capsys.readouterr().err
    state = tmp_path / "state"
    state.mkdir()
    opened.open(state, Clock(), QUICK).close()
    assert main(["users", "--home", home, "--state", str(state), "reset", "Nobody"]) == 2
    assert "no account called Nobody" in capsys.readouterr().err
