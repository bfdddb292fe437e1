"""The pages on the way in and out, and those of one's own account."""
