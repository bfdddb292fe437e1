"""Totals that name nobody: what a site used its network for, by hour and access point, and how many did.

Rows of closed connections come in, numbers go out. No address, no MAC of a client and no name may reach a
file of this room; in memory clients are keyed hashes, whose key dies with the hour or the day.
"""
