"""The control API as seen by clients."""
