"""Paths that are brought out only when somebody names them."""

import pytest

from cleanroom.backends.workspace.guard import guarded, is_named


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("cleanroom.yaml", "a policy"),
        ("sub/Cleanroom.YAML", "a policy"),
        (".cleanroomignore", "a policy"),
        (".buildkite/cleanroom.yaml", "a CI file"),
        (".github/workflows/test.yml", "a CI file"),
        (".github", "a CI file"),
        ("sub/.GitLab-CI.yml", "a CI file"),
        ("Jenkinsfile", "a CI file"),
        ("package-lock.json", "a lock file"),
        ("web/pnpm-lock.yaml", "a lock file"),
        ("uv.lock", "a lock file"),
        ("requirements-dev.txt", "a lock file"),
        (".vscode/tasks.json", "a file that tools of the host act on"),
        (".envrc", "a file that tools of the host act on"),
        (".gitmodules", "a file that tools of the host act on"),
        ("mise.local.toml", "a file that tools of the host act on"),
        (".claude/settings.json", "a file that tools of the host act on"),
        ("sub/.mcp.json", "a file that tools of the host act on"),
        (".cursor/mcp.json", "a file that tools of the host act on"),
        (".yarn/releases/yarn.cjs", "a file that tools of the host act on"),
        (".cargo/config.toml", "a file that tools of the host act on"),
        ("my.code-workspace", "a file that tools of the host act on"),
        (".envrc. ", "a file that tools of the host act on"),
        (".git\u200chub/workflows/x.yml", "a CI file"),
        (".github\\workflows", "a CI file"),
        ("cleanroom.yaml::$DATA", "a policy"),
        ("src/app.js", ""),
        ("lock.py", ""),
        ("github/x", ""),
        ("package.json", ""),
    ],
)
def test_what_decides_what_runs_later_is_known(path: str, what: str) -> None:
    assert guarded(path) == what


def test_a_path_is_named_by_itself_or_by_a_guarded_folder() -> None:
    assert is_named("uv.lock", ("src", "uv.lock"))
    assert is_named(".github/workflows/a.yml", (".github/workflows",))
    assert is_named(".github/workflows/a.yml", (".github",))
    assert not is_named("web/uv.lock", ("web", ".", ""))
    assert not is_named("uv.lock", ())
