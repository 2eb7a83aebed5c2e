"""What a repository wrote, and what is enforced: text -> Policy -> CompiledPolicy. No I/O."""
