"""Runs a script of this folder in a process of its own, because scapy's licence is not ours."""

import functools
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@functools.cache
def printed(script: str) -> str:
    """What a script prints; skips the test where scapy is not installed."""
    if importlib.util.find_spec("scapy") is None:
        pytest.skip("scapy is not installed: it makes the frames of this test")
    at = Path(__file__).with_name(script)
    return subprocess.run([sys.executable, at], capture_output=True, text=True, check=True).stdout


@functools.cache
def cases(script: str) -> list[SimpleNamespace]:
    """One object a line, its `frame` as bytes. They are shared: nobody changes one."""
    found = [SimpleNamespace(**json.loads(line)) for line in printed(script).splitlines()]
    for case in found:
        if hasattr(case, "frame"):
            case.frame = bytes.fromhex(case.frame)
    return found
