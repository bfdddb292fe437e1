"""Central as a service: gunicorn with its bounds, TLS 1.3, the keeper of sites and terms."""
