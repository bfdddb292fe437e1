"""The site's own networks: which side of a packet is the client."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ALL = 0xFFFF_FFFF_FFFF_FFFF


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

    def hold_ipv4(self, addresses: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """(n,) which of these lie in one of the networks."""
        if not self.ipv4:
            return np.zeros(len(addresses), np.bool_)
        (mask, value), *others = self.ipv4
        inside = (addresses & mask) == value
        for mask, value in others:
            inside |= (addresses & mask) == value
        return np.asarray(inside)

    def hold_ipv6(self, hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(n,) which of these lie in one of the networks."""
        inside = np.zeros(len(hi), np.bool_)
        for mask_hi, mask_lo, value_hi, value_lo in self.ipv6:
            match = (hi & mask_hi) == value_hi
            if mask_lo:
                match &= (lo & mask_lo) == value_lo
            inside |= match
        return inside
