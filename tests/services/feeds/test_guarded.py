"""A decoder's own defect costs the message that found it, and nothing else."""

import numpy as np

from appliance.feeds.told import Messages, Teller, Told
from appliance.model.reasons import Evidence
from appliance.model.texts import Texts
from appliance.services.feeds.guarded import Guarded


class Fragile:
    """Tells a claim a message, whose MAC is its first octet; fails on b"boom" with claims half told."""

    def __init__(self) -> None:
        self._teller = Teller(Texts())

    def decode(self, messages: Messages) -> Told:
        for at_ns, payload in zip(messages.received_ns.tolist(), messages.payloads, strict=True):
            if payload == b"boom":
                raise ZeroDivisionError
            self._teller.claim(at_ns, Evidence.DHCP, payload[0])
            self._teller.noted["seen"] += 1
        return self._teller.told([bytes(payload) for payload in messages.payloads])

    def expire(self, now_ns: int) -> Told:
        raise ValueError


def test_only_the_message_that_fails_is_lost() -> None:
    failures: list[Exception] = []
    decoder = Guarded(Fragile, failures.append)
    payloads = [b"\1", b"boom", b"\2", b"boom", b"\3"]
    told = decoder.decode(Messages(np.arange(1, 6), payloads))
    assert told.claims["mac"].tolist() == [1, 2, 3]
    assert told.claims["seen"].tolist() == [1, 3, 5]
    assert told.refused == {"defect": 2}
    assert told.noted == {"seen": 3}
    assert list(told.answers) == [b"\1", b"", b"\2", b"", b"\3"]
    assert {type(error) for error in failures} == {ZeroDivisionError}
    assert len(decoder.expire(9).claims) == 0
    assert decoder.decode(Messages(np.array([7]), [b"\4"])).claims["mac"].tolist() == [4]
