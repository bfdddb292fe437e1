"""gunicorn with bounds: no peer holds a thread longer than what it sends may take. It serves central and page."""
