"""Composition roots: the only place where rooms are wired together."""
