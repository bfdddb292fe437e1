"""What the page and the keeper say to one another over a local socket: typed, bounded, and nothing else."""
