"""Pins are equal by what they mean, and nobody who starts sandboxes needs their library."""

import subprocess
import sys

from msgspec.structs import replace

from cleanroom.policy.artifact_pin import ArtifactPin
from tests.conftest import ROOT

PIN = ArtifactPin("ms", "2.1.3", "ms-2.1.3.tgz", "", ("sha512:0",), source="package-lock.json:12")
BARE = "import sys; sys.path.append(sys.argv[1]); import cleanroom.backends.namespaces"


def test_where_a_pin_was_read_is_no_part_of_it() -> None:
    elsewhere = replace(PIN, source="yarn.lock:1")
    assert (PIN, hash(PIN)) == (elsewhere, hash(elsewhere))
    assert replace(PIN, version="2.1.2") != PIN
    assert object() != PIN


def test_backends_import_where_there_is_nothing_but_python() -> None:
    subprocess.run([sys.executable, "-I", "-S", "-c", BARE, str(ROOT / "src")], check=True)
