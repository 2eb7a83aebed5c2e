"""Decisions: (CompiledPolicy, question) -> Verdict. Pure; a decision is a value that says why."""
