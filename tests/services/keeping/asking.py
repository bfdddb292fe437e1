"""A keeper of a real home, asked without a socket; and the socket, where that matters."""

from pathlib import Path

from appliance.control.messages import Actor, Answer, Ask, Request, SetUp
from appliance.services.keeping.answering import Answering
from appliance.services.keeping.at_hand import AtHand
from tests.vault.made_homes import Box, Clock, make_box

ME = Actor("jeanne", "operator", "192.0.2.7")


class Asked:
    """`ask` gives the answer; what the keeper complains of is in `complaints`."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.complaints: list[str] = []
        self.clock = clock or Clock()
        self.at = AtHand(path, self.clock)
        self._answering = Answering(self.at, self.complaints.append)

    def ask(self, ask: Ask) -> Answer:
        return self._answering(Request(ME, ask))


def asked_of(box: Box) -> Asked:
    return Asked(box.home.path, box.clock)


def set_up(folder: Path, networks: tuple[str, ...] = ("10.0.0.0/8",), **more: tuple[str, ...]) -> Asked:
    """A home that the page had made, its custodians' keys beside it."""
    keys = make_box(folder / "elsewhere")
    asked = Asked(folder / "home")
    asked.ask(SetUp("Hôtel du Port", networks, keys.config.custodians, 2, **more))
    return asked
