"""Java's trust store, read by Java's own tool where the machine has it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cleanroom.sandbox.java import java_trust_store
from tests.gateway.certificates import authority

BUNDLE = "".join(authority(name).certificate for name in ("a.test", "b.test")).encode()


def test_the_store_has_the_form_of_the_format() -> None:
    store = java_trust_store(BUNDLE)
    assert store[:12].hex() == "feedfeed" + "00000002" + "00000002"
    assert store.count(b"\x00\x05X.509") == 2
    assert store == java_trust_store(BUNDLE)


def test_what_is_no_certificate_is_left_out() -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n"
    assert java_trust_store(b"words\n" + broken + BUNDLE) == java_trust_store(BUNDLE)
    assert java_trust_store(b"")[8:12] == bytes(4)


@pytest.mark.skipif(not shutil.which("keytool"), reason="this machine lacks Java")
def test_java_reads_it(tmp_path: Path) -> None:
    place = tmp_path / "cacerts"
    place.write_bytes(java_trust_store(BUNDLE))
    words = ("keytool", "-list", "-keystore", str(place), "-storepass", "changeit")
    said = subprocess.run(words, check=False, capture_output=True, text=True, timeout=25)
    assert said.stdout.count("trustedCertEntry") == 2, said
