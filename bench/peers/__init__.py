"""Peers of the content cache: verdaccio, devpi and nginx, and what packages cost through each.

In: locks with digests and without addresses, beside this file. Out: figures. Never: a registry's
name; this machine's own are asked for.
"""
