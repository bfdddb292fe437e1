"""The thin shell round the machine: atomic files, clock, alarms."""
