"""Places that can run a sandbox, each proven by one conformance suite."""
