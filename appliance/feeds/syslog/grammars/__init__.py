"""One file for each kind of device whose lines are understood; each ends with its GRAMMAR."""
