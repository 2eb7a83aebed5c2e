"""A git configuration without what authenticates."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.backends.workspace.gitconfig import sanitize

PLAIN = """[core]
\trepositoryformatversion = 0
\tbare = false ; comment
# a comment
[remote "origin"]
\turl = https://git.example/r.git
\tfetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
\tremote = origin
[alias]
\tlg = log \\
\t\t--oneline
"""


def test_a_plain_configuration_stays_as_it_is() -> None:
    assert sanitize(PLAIN) == PLAIN
    assert sanitize("") == ""


@pytest.mark.parametrize(
    "text",
    [
        '[http "https://git.example/"]\n\textraheader = AUTHORIZATION: basic S3CRET\n',
        "[http]\n\tExtraHeader = S3CRET\n",
        "[http] extraHeader = S3CRET\n",
        "[http]\n\textraheader = a \\\nS3CRET\n",
        "[credential]\n\thelper = store --file=S3CRET\n",
        '[credential "https://git.example"]\n\tusername = S3CRET\n',
        "[Credential] helper = S3CRET\n",
        "[include]\n\tpath = S3CRET\n",
        '[includeIf "gitdir:/x"]\n\tpath = S3CRET\n',
        "[includeif.x]\n\tpath = S3CRET\n",
        '[remote "o"]\n\turl = https://user:S3CRET@git.example/r.git\n',
        '[remote "o"]\n\turl = https://S3CRET@git.example/r.git\n',
        '[remote "o"]\n\turl = ssh://git:S3CRET@git.example/r.git\n',
        '[url "https://S3CRET@git.example/"]\n\tinsteadOf = x\n',
        '[url "x"]\n\tinsteadOf = https://a:S3CRET@git.example/\n',
        "[sendemail]\n\tsmtpPass = S3CRET\n",
        "[http]\n\tcookieFile = S3CRET\n",
        "[http]\n\tproxy = http://u:S3CRET@proxy.example:3128\n",
        "[github]\n\ttoken = S3CRET\n",
        "[x S3CRET\n",
        "# \\\n[http]\n\textraheader = S3CRET\n",
        "[http]\n; \\\n\textraheader = S3CRET\n",
        "[http]\n\t#extraheader = S3CRET\n",
        "[user]\n\tname = a # \\\n[http]\n\textraheader = S3CRET\n",
        "= S3CRET\n",
    ],
)
def test_what_authenticates_is_gone(text: str) -> None:
    assert "S3CRET" not in sanitize(text)
    clean = sanitize(f"{text}[core]\n\tbare = false\n")
    assert clean.endswith("[core]\n\tbare = false\n")


def test_the_user_of_ssh_stays() -> None:
    text = '[remote "o"]\n\turl = ssh://git@git.example/r.git\n'
    assert sanitize(text) == text


def test_a_key_beside_its_section_stays_if_it_is_harmless() -> None:
    assert sanitize("[core] bare = false\n") == "[core] bare = false\n"


def test_git_reads_the_rest_as_before(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(sanitize(f'[http]\n\textraheader = x\n{PLAIN}[credential]\nhelper = "y"\n'))
    answer = subprocess.run(
        ["/usr/bin/git", "config", "-f", str(config), "--list"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert answer.stdout.splitlines() == [
        "core.repositoryformatversion=0",
        "core.bare=false",
        "remote.origin.url=https://git.example/r.git",
        "remote.origin.fetch=+refs/heads/*:refs/remotes/origin/*",
        "branch.main.remote=origin",
        "alias.lg=log \t\t--oneline",
    ]


@given(st.text())
def test_any_text_is_survived_and_a_clean_one_stays_clean(text: str) -> None:
    once = sanitize(text)
    assert sanitize(once) == once
