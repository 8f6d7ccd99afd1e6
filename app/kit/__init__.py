"""A client of the public API: what a hub runs at its own side. It knows nothing of how the service is built."""
