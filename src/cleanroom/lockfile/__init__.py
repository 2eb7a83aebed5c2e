"""Lock files as text -> pins. Pure."""
