"""The site's own networks: which side of a packet is the client."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAPPED_V4

_ALL = 0xFFFF_FFFF_FFFF_FFFF
_HALF = np.uint64(32)
_MAPPED = np.uint64(MAPPED_V4 >> 32)


@dataclass(frozen=True)
class Networks:
    """Masks and values as the wire has them (network order read into little-endian numbers)."""

    ipv4: tuple[tuple[np.uint32, np.uint32], ...]
    ipv6: tuple[tuple[np.uint64, np.uint64, np.uint64, np.uint64], ...]

    @classmethod
    def of(cls, networks: Sequence[str]) -> "Networks":
        """From CIDR texts; raises ValueError as `ipaddress` does."""
        ipv4, ipv6 = [], []
        for text in networks:
            network = ipaddress.ip_network(text, strict=False)
            mask, value = int(network.netmask), int(network.network_address)
            if network.version == 4:
                ipv4.append((np.uint32(mask).byteswap(), np.uint32(value).byteswap()))
            else:
                words = (mask >> 64, mask & _ALL, value >> 64, value & _ALL)
                mask_hi, mask_lo, hi, lo = (np.uint64(word).byteswap() for word in words)
                ipv6.append((mask_hi, mask_lo, hi, lo))
        return cls(tuple(ipv4), tuple(ipv6))

    def hold(self, hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(n,) which of these addresses, as `model.addresses` keeps them, lie in one of the networks."""
        is_ipv4 = (hi == 0) & (lo >> _HALF == _MAPPED)
        inside = self.hold_ipv4(lo.astype(np.uint32).byteswap()) & is_ipv4
        if self.ipv6 and not is_ipv4.all():
            inside |= self.hold_ipv6(hi.byteswap(), lo.byteswap()) & ~is_ipv4
        return np.asarray(inside)

    def hold_ipv4(self, addresses: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """(n,) which of these, as the wire has them, lie in one of the networks."""
        if not self.ipv4:
            return np.zeros(len(addresses), np.bool_)
        (mask, value), *others = self.ipv4
        inside = (addresses & mask) == value
        for mask, value in others:
            inside |= (addresses & mask) == value
        return np.asarray(inside)

    def hold_ipv6(self, hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(n,) which of these, as the wire has them, lie in one of the networks."""
        inside = np.zeros(len(hi), np.bool_)
        for mask_hi, mask_lo, value_hi, value_lo in self.ipv6:
            match = (hi & mask_hi) == value_hi
            if mask_lo:
                match &= (lo & mask_lo) == value_lo
            inside |= match
        return inside
