"""Asks the SNMP agents of given addresses for given objects: unicast, paced, on UDP port 161 and no other.

Nothing is ever set and nothing is broadcast. What an agent answers is bounded: a column has at most ROW_LIMIT
rows, and one that does not go forward ends there.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pysnmp.hlapi.v3arch import asyncio as snmp
from pysnmp.proto import rfc1905

from appliance.config.inventory import InventoryConfig
from appliance.feeds.snmp.objects import COLUMNS, SYSTEM, Managed, Oid
from appliance.feeds.snmp.tables import Answers, Value

PORT = 161
ROW_LIMIT = 65_536
_REPETITIONS = 20  # rows an answer: below 1,472 bytes for every column asked for
_TIMEOUT_S, _RETRIES = 1.0, 1
_AT_ONCE = 16

_AUTHENTICATION = {
    "MD5": snmp.usmHMACMD5AuthProtocol,
    "SHA": snmp.usmHMACSHAAuthProtocol,
    "SHA-256": snmp.usmHMAC192SHA256AuthProtocol,
    "SHA-512": snmp.usmHMAC384SHA512AuthProtocol,
}
_PRIVACY = {
    "DES": snmp.usmDESPrivProtocol,
    "AES": snmp.usmAesCfb128Protocol,
    "AES-256": snmp.usmAesCfb256Protocol,
}
_ENDS = (rfc1905.EndOfMibView, rfc1905.NoSuchObject, rfc1905.NoSuchInstance)


class Pace:
    """Lets at most so many requests a second go out, evenly."""

    def __init__(self, per_second: int) -> None:
        self._between_s = 1 / per_second
        self._next_s = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        now_s = asyncio.get_running_loop().time()
        at_s = max(now_s, self._next_s)
        self._next_s = at_s + self._between_s
        await asyncio.sleep(at_s - now_s)


@dataclass
class Asker:
    """Asks agents one after the other, some at once; made inside a running loop."""

    config: InventoryConfig
    port: int = PORT

    def __post_init__(self) -> None:
        self._engine = snmp.SnmpEngine()
        self._pace = Pace(self.config.requests_per_second)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._credentials = _credentials(self.config)

    def close(self) -> None:
        """Let the sockets go."""
        self._engine.close_dispatcher()

    async def ask(self, address: str) -> Answers | None:
        """What the agent at an address answers; None if there is none, or it does not know us."""
        async with self._places:
            target = await self._target(address)
            system = await self._get(target, SYSTEM)
            if system is None:
                return None
            columns: dict[str, dict[Oid, Value]] = {
                managed.name: {(): value}
                for managed, value in zip(SYSTEM, system, strict=True)
                if value is not None
            }
            cut = []
            for managed in COLUMNS:
                columns[managed.name], whole = await self._column(target, managed.oid)
                if not whole:
                    cut.append(managed.name)
            return Answers(address, columns, tuple(cut))

    async def _target(self, address: str) -> Any:
        kind = snmp.Udp6TransportTarget if ":" in address else snmp.UdpTransportTarget
        return await kind.create((address, self.port), timeout=_TIMEOUT_S, retries=_RETRIES)

    async def _get(self, target: Any, objects: Sequence[Managed]) -> list[Value | None] | None:
        await self._pace.turn()
        failed, status, _, bindings = await snmp.get_cmd(
            self._engine, self._credentials, target, snmp.ContextData(),
            *(_asked(managed.oid) for managed in objects), lookupMib=False,
        )  # fmt: skip
        if failed or status or len(bindings) != len(objects):
            return None
        return [_value(value) for _, value in bindings]

    async def _column(self, target: Any, column: Oid) -> tuple[dict[Oid, Value], bool]:
        """Values by index, and whether all of the column was read."""
        rows: dict[Oid, Value] = {}
        last = column
        while len(rows) < ROW_LIMIT:
            await self._pace.turn()
            failed, status, _, bindings = await snmp.bulk_cmd(
                self._engine, self._credentials, target, snmp.ContextData(),
                0, _REPETITIONS, _asked(last), lookupMib=False,
            )  # fmt: skip
            if failed:
                return rows, False
            if status or not bindings:
                return rows, True
            for name, value in bindings:
                oid = tuple(name)
                if oid[: len(column)] != column or isinstance(value, _ENDS):
                    return rows, True
                if oid <= last:
                    return rows, False
                last = oid
                read = _value(value)
                if read is not None:
                    rows[oid[len(column) :]] = read
        return rows, False


def _asked(oid: Oid) -> Any:
    return snmp.ObjectType(snmp.ObjectIdentity(oid))


def _value(value: Any) -> Value | None:
    """Numbers as such, strings as bytes, object identifiers as text in bytes."""
    if isinstance(value, (*_ENDS, rfc1905.UnSpecified)):
        return None
    if hasattr(value, "asOctets"):
        return bytes(value.asOctets())
    if hasattr(value, "asTuple"):
        return ".".join(map(str, value.asTuple())).encode()
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _credentials(config: InventoryConfig) -> Any:
    if not config.user:
        # Much of what hangs on ceilings knows no v3; what is read is no secret on its own LAN.
        return snmp.CommunityData(config.community, mpModel=1)  # noqa: S508
    private = (
        {"privKey": config.privacy_passphrase, "privProtocol": _PRIVACY[config.privacy]}
        if config.privacy_passphrase
        else {}
    )
    return snmp.UsmUserData(
        config.user,
        config.authentication_passphrase,
        authProtocol=_AUTHENTICATION[config.authentication],
        **private,
    )
