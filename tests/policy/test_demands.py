"""Backends are tried where there is nothing but Python, and what they prove has its words there."""

import subprocess
import sys
from pathlib import Path

import cleanroom
from cleanroom.policy.demands import NO_LIMITS, Limits
from cleanroom.policy.model import SandboxPolicy

ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
from cleanroom.backends.namespaces import NamespacesBackend
print(NamespacesBackend.__name__)
"""


def test_a_backend_imports_nothing_but_python() -> None:
    source = str(Path(cleanroom.__file__).parent.parent)
    command = [sys.executable, "-I", "-S", "-c", ALONE, source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("NamespacesBackend\n", "")


def test_without_a_word_nothing_is_limited() -> None:
    assert SandboxPolicy().limits == NO_LIMITS == Limits(None, None, None, None, None, None)
