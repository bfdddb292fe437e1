"""Who did what that not everybody may: an append-only chain of signed lines of its own."""
