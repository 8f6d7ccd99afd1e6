"""How close the service comes to what its database can do: `python -m bench`, or `make bench`."""
