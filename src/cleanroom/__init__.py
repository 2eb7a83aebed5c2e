"""Cleanroom: untrusted commands in sandboxes whose only way out is a policy-enforcing gateway."""

__version__ = "0.1.0"
