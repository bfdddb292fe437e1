"""Frames to packet columns, whole batches at once. Pure. No payload byte may leave this room."""
