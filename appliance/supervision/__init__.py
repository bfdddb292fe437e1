"""How a box stands, judged by what is known of it: pure, so that it looks at nothing itself."""
