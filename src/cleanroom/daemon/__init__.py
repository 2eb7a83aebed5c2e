"""The control plane: the only process that makes sandboxes and keeps state."""
