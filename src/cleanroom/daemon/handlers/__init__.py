"""One feature of the API a file."""
