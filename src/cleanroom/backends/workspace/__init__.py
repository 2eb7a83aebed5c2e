"""The workspace of a sandbox: a copy-on-write view of a repository, and what was changed in it.

`prepare` makes the view, `changes` reads its upper layer as data, `patch` shows it as text,
`apply` brings it onto the host, `upkeep` counts and removes it. What lies in an upper layer was
written by the workload: every walk in it goes by descriptors and follows no link.
"""
