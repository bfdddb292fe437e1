"""Stations, translations, biflows and dates, of which no public capture tells: made by scapy, read by us."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.told import Messages, Rows
from appliance.model.addresses import ip_text, mac_text
from appliance.model.texts import Texts
from tests.forge import reading

RECEIVED_NS = 1_790_000_002 * 10**9
EMPTY: dict[str, Any] = {"claims": [], "flows": [], "translations": []}


def forged() -> list[SimpleNamespace]:
    return reading.cases("netflow_exports.py")


def shown(row: Any, texts: Texts, columns: Any) -> dict[str, Any]:
    """These columns of a row in the forge's own writing."""
    found: dict[str, Any] = {}
    for name in columns:
        if name == "ip" or name.endswith("_ip"):
            found[name] = ip_text(int(row[f"{name}_hi"]), int(row[f"{name}_lo"]))
        elif name == "mac" or name.endswith("_mac"):
            found[name] = mac_text(int(row[name]))
        elif name in ("ssid", "user"):
            found[name] = texts.all()[int(row[name])]
        else:
            found[name] = row[name].item()
    return found


def check(rows: Rows, expected: list[dict[str, Any]], texts: Texts) -> None:
    assert [shown(row, texts, told) for row, told in zip(rows, expected, strict=True)] == expected


@pytest.mark.parametrize("number", range(66))
def test_forged_export_tells_what_its_maker_says(number: int) -> None:
    case = forged()[number]
    texts = Texts()
    messages = [bytes.fromhex(each) for each in case.messages]
    received = np.full(len(messages), RECEIVED_NS, np.int64)
    told = NetflowDecoder(texts).decode(Messages(received, messages))
    check(told.flows, case.flows, texts)
    check(told.claims, case.claims, texts)
    check(told.translations, case.translations, texts)
    assert not told.flows["by_receipt"].any()


def test_every_forged_export_is_read() -> None:
    assert len(forged()) == 66
