"""The gateway: its own process, the only way out of a sandbox.

Layers are sans-I/O: events in, commands out (`layers/`); `server.py` owns the only sockets. The
daemon hands it doors and compiled policies (`control.py`); it asks `decide` and reports every
verdict to the daemon's audit before a byte flows.
"""
