"""Paths that decide what runs later, on the host or for others: brought out only when named.

In: a path of the workspace. Out: what it is ("a policy"), or "". Never: I/O, or a spelling that a
file system would take for another one.

A change there is small to look at and large in effect: the next run's policy, the code that CI or
an editor executes, the hashes that the next install trusts.
"""

from fnmatch import fnmatchcase
from typing import Final

from cleanroom.backends.workspace.folders import seen_as

_POLICY: Final = ("cleanroom.yaml", ".cleanroomignore")
_LOCKS: Final = (
    "*.lock", "*.lockb", "*.lockfile", "*-lock.json", "*-lock.yaml", "*.lock.json", "*.lock.yaml",
    "*.lock.yml", "npm-shrinkwrap.json", "pylock.toml", "pylock.*.toml", "requirements*.txt",
    "go.sum", "go.work.sum", "package.resolved",
)  # fmt: skip
_CI_FOLDERS: Final = (
    ".github", ".gitlab", ".buildkite", ".circleci", ".ci", ".woodpecker", ".forgejo", ".gitea",
    ".teamcity", ".drone", ".azure-pipelines",
)  # fmt: skip
_CI_FILES: Final = (
    ".gitlab-ci.yml", ".travis.yml", ".drone.yml", ".woodpecker.yml", ".cirrus.yml",
    "appveyor.yml", ".appveyor.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml",
    "cloudbuild.yaml", "jenkinsfile", "buildspec.yml",
)  # fmt: skip
# Editors, coding agents (hooks and servers in their settings are commands), package managers that
# run what lies here, folders of hooks.
_TOOL_FOLDERS: Final = (
    ".vscode", ".idea", ".run", ".zed", ".fleet", ".devcontainer", ".claude", ".codex", ".cursor",
    ".gemini", ".opencode", ".windsurf", ".continue", ".roo", ".kiro", ".yarn", ".cargo", ".bundle",
    ".husky", ".githooks", ".lefthook", ".mise", ".direnv",
)  # fmt: skip
_TOOL_FILES: Final = (
    ".envrc", ".gitmodules", ".gitattributes", ".pre-commit-config.yaml", "lefthook.yml",
    "mise.toml", ".mise.toml", "mise.*.toml", ".mise.*.toml", ".tool-versions", ".npmrc",
    ".yarnrc.yml", ".yarnrc", "pip.conf", ".pnpmfile.cjs", ".pnpmfile.mjs", ".lefthook.yml",
    "lefthook.yaml", ".lefthook.yaml", "lefthook-local.yml", ".overcommit.yml", ".bazelrc",
    ".devcontainer.json", "*.code-workspace", "*.sublime-project", ".dir-locals.el",
    ".dir-locals-2.el", ".exrc", ".vimrc", ".nvimrc", ".nvim.lua", ".gdbinit", ".lldbinit",
    ".mcp.json", "opencode.json", "opencode.jsonc", ".aider.conf.yml",
)  # fmt: skip


def guarded(path: str) -> str:
    """What `path` is, if it is brought out only when it is named; "" if it is like any other."""
    *folders, name = map(seen_as, path.split("/"))
    if any(folder in _CI_FOLDERS for folder in (*folders, name)) or _is(name, _CI_FILES):
        return "a CI file"
    if _is(name, _POLICY):
        return "a policy"
    if any(folder in _TOOL_FOLDERS for folder in (*folders, name)) or _is(name, _TOOL_FILES):
        return "a file that tools of the host act on"
    return "a lock file" if _is(name, _LOCKS) else ""


def _is(name: str, patterns: tuple[str, ...]) -> bool:
    return name in patterns or any("*" in each and fnmatchcase(name, each) for each in patterns)


def is_named(path: str, asked: tuple[str, ...]) -> bool:
    """Whether one of the paths asked for names `path` itself, or a guarded folder it lies in."""
    return any(
        path == each or (guarded(each) != "" and path.startswith(f"{each}/")) for each in asked
    )
