"""The way through the first boot, for tests that begin at one of its screens."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp

from appliance.control.messages import (
    Actor,
    Answer,
    Ask,
    AskCentral,
    AskInterfaces,
    AskTests,
    CentralIdentity,
    Done,
    EnrolCentral,
    Interface,
    Interfaces,
    Request,
    Tested,
    Tests,
)
from appliance.control.words import Check, Outcome
from appliance.services.keeping.answering import Answering
from appliance.services.keeping.at_hand import AtHand
from tests.webui.visiting import Clock, Visitor, made_site, visitor
from webui.first_boot import FirstBoot
from webui.site import Site

CODE, NAME, PASSWORD = "ABCD-2345", "Élodie Roy", "girafe-moulin-9-tabouret-lune"
NETWORK = "192.168.10.0/24"
MIRROR = Interface("mirror0", True, 1000, (), False, 1234.4, 1210.3, (NETWORK,))


class Keeper:
    """The real answers; but what is on the wire and who is far away is made."""

    def __init__(self, home: Path) -> None:
        self._answering = Answering(AtHand(home))
        self.asked: list[tuple[Actor, Ask]] = []

    def ask(self, actor: Actor, ask: Ask) -> Answer:
        self.asked.append((actor, ask))
        made: dict[type, Answer] = {
            AskInterfaces: Interfaces((MIRROR,), "mirror0"),
            AskCentral: CentralIdentity("Lyon", "63978086fc4f6e3f" * 4),
            AskTests: Tests((Tested(Check.HOME, Outcome.PASSED), Tested(Check.CENTRALS, Outcome.LATER))),
            EnrolCentral: Done(),
        }
        return made[type(ask)] if type(ask) in made else self._answering(Request(actor, ask))


@dataclass
class Box:
    """A box that nobody has set up, and the browser of its installer."""

    home: Path
    site: Site
    keeper: Keeper
    installer: Visitor
    ended: list[str]

    @property
    def state(self) -> Path:
        return self.site.state

    def stranger(self) -> Visitor:
        """Another browser at the same page."""
        return Visitor(self.installer.page, address="192.0.2.66")

    def enter(self, **other: str) -> Any:
        """The first screen, filled in."""
        self.installer.get("/setup")
        given = {"label": CODE, "name": NAME, "password": PASSWORD, "again": PASSWORD} | other
        return self.installer.post("/setup", given)

    def prove_factor(self) -> Any:
        """The second."""
        page = self.installer.get("/setup/factor").text
        found = re.search(r'<code class="key">([A-Z2-7 ]+)</code>', page)
        assert found
        at_s = self.site.clock() // 1_000_000_000
        code = pyotp.TOTP(found[1].replace(" ", "")).at(at_s)
        return self.installer.post("/setup/factor", {"code": code, "kept": "yes"})

    def describe_site(self) -> Any:
        """The third."""
        given = {"site": "Hôtel du Port", "networks": NETWORK, "interface": "mirror0", "do": "next"}
        return self.installer.post("/setup/site", given)

    def make_key(self, name: str, **more: str) -> str:
        """A custodian with a key made here: the public key."""
        answer = self.installer.post(
            "/setup/custodians/make", {"name": name, "passphrase": "", "again": ""} | more
        )
        assert answer.status == 303, answer.text
        return answer.header("Location").partition("#")[2]

    def save_key(self, recipient: str) -> bytes:
        """Fetch key and sheet, and give the key back as proof: the content of the key's file."""
        self.installer.get(f"/setup/custodians/{recipient}/sheet")
        key = self.installer.get(f"/setup/custodians/{recipient}/key").body
        proof = self.installer.upload(f"/setup/custodians/{recipient}/proof", {}, {"file": ("a.key", key)})
        assert proof.status == 303, proof.text
        return key


def fresh(folder: Path) -> Box:
    """A box as it comes out of its carton."""
    (folder / "web").mkdir()
    clock = Clock()
    keeper, ended = Keeper(folder / "home"), list[str]()
    boot = FirstBoot(CODE, clock, lambda: ended.append("ended"))
    site = made_site(folder / "web", keeper, clock, first_boot=boot)
    return Box(folder / "home", site, keeper, visitor(site), ended)
