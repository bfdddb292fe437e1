"""Capture files and the kernel ring: bytes into batches. Nothing here understands a frame."""
