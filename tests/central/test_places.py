"""A central's folder: what is made, what is refused, what other tools say of it."""

from appliance.central import places, tables


def test_it_opens_again_as_it_was_made(central: places.Central) -> None:
    central.close()
    again = places.open(central.folder)
    try:
        assert (again.identity, again.config, again.signer.box) == (
            central.identity,
            central.config,
            central.signer.box,
        )
        assert tables.Site.select().count(again.database) == 0
    finally:
        again.close()
