"""Replication: what a box sends to its centrals and what they sign for it. Nothing here can read a record."""
