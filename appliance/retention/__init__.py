"""The term: what has passed it (pure), and the destruction that follows."""
