"""A private repository: git with a placeholder, with another token, with none (R22, R23)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report, eventually
from tests.escape.git_internet import GitInternet, git_hosts
from tests.escape.registry_world import Registries, registries
from tests.escape.test_registries_git import POLICY, RUN, Repository

pytestmark = pytest.mark.escape

VALUE: Final = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
OTHER: Final = "ghp_9876543210abcdefghijABCDEFGHIJ012345"


@pytest.fixture(scope="module")
def shared(programs: Path) -> Iterator[Registries]:
    """Git hosts of this file, and an operator with tokens for them."""
    assert programs.is_dir()
    with git_hosts() as folder:
        lines = ["secrets:"]
        for secret, value in {"mine": VALUE, "other": OTHER}.items():
            (folder / secret).write_text(value)
            lines.append(f"  {secret}: {{file: {folder / secret}, hosts: [mirror.test]}}")
        with registries("\n".join(lines) + "\n", internet=GitInternet) as made:
            yield made


@pytest.fixture
def lib(outside: Registries) -> Repository:
    """A repository of this test alone, which VALUE opens."""
    made = Repository()
    GitInternet.private[made.name] = f"Bearer {VALUE}"
    return made


def clone(outside: Registries, lib: Repository, whose: str, *flags: str) -> Report:
    """Clone in a sandbox of its own; the result is status and output."""
    binding = f"secrets: [{{id: {whose}, env: TOKEN, allowed_hosts: [mirror.test]}}]\n"
    program = f"""{RUN}
field = "http.extraHeader=Authorization: Bearer " + os.environ.get("TOKEN", "")
token = ("-c", field) if "TOKEN" in os.environ else ()
result = [git(*token, "clone", "-q", {lib.url!r}, "copy"), git("-C", "copy", "log", "--format=%s")]
"""
    return outside.world.run(POLICY + (binding if whose else ""), program, *flags)


def test_a_private_repository_is_cloned_with_the_value_and_found_by_no_other(
    outside: Registries, lib: Repository
) -> None:
    said = clone(outside, lib, "mine")
    assert said.result == [[0, ""], [0, "two\none\n"]], said.result
    assert VALUE not in json.dumps([said.result, said.audit, said.stderr])
    # It is written after it was handed over.
    assert eventually(lambda: clone(outside, lib, "mine", "--offline").result == said.result, 60)
    for whose in ("other", ""):
        asked = len(outside.script.asked)
        missed = clone(outside, lib, whose, "--offline")
        assert missed.result[0][0] != 0
        assert missed.denials("offline_miss")
        assert len(outside.script.asked) == asked
        assert clone(outside, lib, whose).result[0][0] != 0
        told = outside.script.asked[asked:]
        assert told
        assert all((OTHER in each.head) is (whose == "other") for each in told)
        assert not any(VALUE in each.head for each in told)
