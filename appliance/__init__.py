"""Greffier's appliance: what records, seals, keeps, destroys and hands back. The map is README.md."""
