"""The `local` backend's first rung: Linux namespaces, by our launcher and bubblewrap.

plan.py says what is done, start.py does it, running.py is what runs then, prober.py proves it.
"""

from cleanroom.backends.namespaces.backend import NamespacesBackend

__all__ = ["NamespacesBackend"]
