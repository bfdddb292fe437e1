"""Recording what is seen: mirrored interfaces and capture files."""
