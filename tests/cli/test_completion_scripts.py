"""Real shells, the tab key pressed in a terminal, and a daemon that knows one sandbox."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cleanroom.cli.completion_scripts import SCRIPTS
from tests.cli.conftest import CommandLine
from tests.cli.typist import PATIENCE_S, Typist
from tests.client.scripted import Answer

# It waits for the daemon as long as a busy machine may take; a person's waits a second.
PROGRAM = """\
#!{python} -P
import sys
from cleanroom.cli import cmd_completion, main
cmd_completion.PATIENCE_S = {patience}
sys.exit(main.main())
"""
DEV = {"id": "sbx_1", "name": "dev", "state": "ready", "workspace": "/w:x"}
FISH = shutil.which("fish") or ""
zsh = pytest.mark.skipif(not shutil.which("zsh"), reason="this machine lacks zsh")
fish = pytest.mark.skipif(not FISH, reason="this machine lacks fish")


@pytest.fixture
def environ(cli: CommandLine) -> dict[str, str]:
    """A shell's environment, with `cleanroom` on PATH."""
    cli.script.answers["GET /v1/sandboxes"] = Answer({"sandboxes": [DEV]})
    program = cli.folder.parent / "bin" / "cleanroom"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, patience=PATIENCE_S))
    program.chmod(0o755)
    path = f"{program.parent}:/usr/local/bin:/usr/bin:/bin"
    return {**os.environ, "PATH": path, "TERM": "dumb", "PS1": "> "}


@pytest.fixture
def shells(environ: dict[str, str], cli: CommandLine) -> Iterator[dict[str, Typist]]:
    """Interactive shells by name, started when they are asked for."""

    class Shells(dict[str, Typist]):
        def __missing__(self, line: str) -> Typist:
            self[line] = Typist(line.split(), environ, cli.folder)
            self[line].see(b"> ")
            return self[line]

    started = Shells()
    yield started
    for each in started.values():
        each.close()


def test_bash_completes_a_command_a_flag_and_a_name(
    shells: dict[str, Typist], cli: CommandLine
) -> None:
    bash = shells["bash --norc --noprofile -i"]
    bash.type(b'source <(cleanroom completion bash); echo do""ne\n', b"\ndone")
    bash.type(b"cleanroom stop d\t", b"stop dev ")
    bash.type(b"\x15cleanroom sandb\t", b"sandboxes ")
    bash.type(b"\x15cleanroom exec --sandbox=d\t", b"--sandbox=dev ")
    bash.type(b"\x15cleanroom policy check --no-a\t", b"--no-autostart ")
    (cli.folder / "a-file").touch()
    bash.type(b"\x15cleanroom exec -- cat a-f\t", b"a-file")


@zsh
def test_zsh_completes_a_command_and_a_name(shells: dict[str, Typist]) -> None:
    typist = shells["zsh -f -i"]
    typist.type(b"autoload -Uz compinit; compinit -D; echo re''ady\n", b"\nready")
    typist.type(b"source <(cleanroom completion zsh); echo do''ne\n", b"\ndone")
    typist.type(b"cleanroom stop d\t", b"ev ")
    typist.type(b"\x15cleanroom sandb\t", b"oxes ")


@fish
def test_fish_completes_with_meanings_and_else_with_files(
    environ: dict[str, str], cli: CommandLine
) -> None:
    def ask(line: str) -> list[str]:
        script = f"cleanroom completion fish | source; complete -C '{line}'"
        done = subprocess.run(
            [FISH, "--no-config", "-c", script],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        return done.stdout.splitlines()

    assert ask("cleanroom stop ") == ["dev\tready: /w:x"]
    assert ask("cleanroom sandb")[0].startswith("sandboxes\t")
    (cli.folder / "a-file").touch()
    assert ask("cleanroom exec -- cat a-f") == ["a-file"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_sound(name: str, cli: CommandLine) -> None:
    script = cli("completion", name).out
    assert script == SCRIPTS[name]
    if shutil.which(name):
        done = subprocess.run(
            [name, "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
