"""The content cache: what registries sent, kept by its digest, found by where it came from."""
