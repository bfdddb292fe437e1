"""Sealing and, apart from it, unsealing: keys, journal, segments, seals, verify, search."""
