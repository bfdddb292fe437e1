"""gunicorn with bounds, for central and page: no peer holds a thread longer than its bytes may take."""
