"""The thin shell round the machine: files written once, locks, clock, memory, what a recorder tells."""
