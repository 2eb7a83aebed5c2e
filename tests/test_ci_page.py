"""The jobs of docs/ci.md can be copied: YAML of the right shape, shell, and flags that exist."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import yaml

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
GITHUB, GITLAB, BUILDKITE = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def scripts() -> Iterator[str]:
    """Every text of the jobs that a shell gets."""
    yield from (step["run"] for step in GITHUB["jobs"]["test"]["steps"] if "run" in step)
    yield "\n".join((*GITLAB["test"]["before_script"], *GITLAB["test"]["script"]))
    yield from (step["command"] for step in BUILDKITE["steps"])


def test_each_job_has_the_shape_of_its_service() -> None:
    steps: list[dict[str, Any]] = GITHUB["jobs"]["test"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    assert GITHUB[True] == ["push", "pull_request"]  # YAML 1.1 reads `on` so; GitHub does not
    assert set(GITLAB["test"]) == {"cache", "before_script", "script", "artifacts"}
    assert all({"label", "command"} <= set(step) for step in BUILDKITE["steps"])


def test_each_script_is_shell() -> None:
    for script in scripts():
        text = EXPRESSION.sub("expression", script)
        subprocess.run(["/bin/sh", "-n", "-c", text], check=True)


def test_each_job_runs_cleanroom_with_flags_that_exist() -> None:
    known = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    lines = [
        line for script in scripts() for line in script.splitlines() if "cleanroom exec" in line
    ]
    assert len(lines) == 3
    for line in lines:
        words = shlex.split(line)
        flags = [word for word in words[: words.index("--")] if word.startswith("--")]
        assert flags
        assert [flag for flag in flags if f"`{flag}" not in known] == []


def test_each_job_sets_only_what_a_command_reads_and_a_file_that_the_daemon_reads() -> None:
    """A daemon that a command starts has none of its CLEANROOM_ variables."""
    assert set(re.findall(r"CLEANROOM_[A-Z_]+", PAGE)) == {
        "CLEANROOM_APPROVED_POLICY",
        "CLEANROOM_SOURCE",  # where it is cloned from
    }
    (written,) = re.findall(r'echo "(.*)" > .*/cleanroom/config.yaml"', PAGE)
    assert yaml.safe_load(written) == {"tools": ["/opt/hostedtoolcache"]}
