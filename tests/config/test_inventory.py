"""Which networks may be asked, and what an inventory may be told."""

import pytest

from appliance.config.inventory import InventoryConfig


@pytest.mark.parametrize(
    "network",
    ["8.8.8.8/32", "::ffff:8.8.8.8/128", "240.0.0.1/32", "0.0.0.0/31", "255.255.255.255/32", "2001:db8::/126",
     "224.0.0.0/30", "ff02::/126", "10.0.0.0/7", "192.0.2.0/28"],
)  # fmt: skip
def test_nothing_beyond_a_lan_is_asked(network: str) -> None:
    with pytest.raises(ValueError, match="no network of a LAN"):
        InventoryConfig((network,))


@pytest.mark.parametrize(
    "network", ["10.9.0.0/29", "172.31.0.0/24", "192.168.1.0/24", "fd00::/124", "127.0.0.1/32"]
)
def test_networks_of_a_lan_may_be(network: str) -> None:
    assert InventoryConfig((network,)).ranges == (network,)


def test_too_many_addresses_and_short_passphrases_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 4096"):
        InventoryConfig(("10.0.0.0/19",))
    with pytest.raises(ValueError, match="authentication_passphrase: a passphrase has at least 8"):
        InventoryConfig(("10.0.0.0/29",), user="clerk", authentication_passphrase="short")
    with pytest.raises(ValueError, match="privacy: 'ROT13' is none of"):
        InventoryConfig(privacy="ROT13")
