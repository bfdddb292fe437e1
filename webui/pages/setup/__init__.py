"""The first boot: at most six screens from the set-up code to a box that records."""
