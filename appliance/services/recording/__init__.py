"""What every recorder keeps its rows in. Nothing here knows what it is that is recorded."""
