"""A command's tool that the caller has and the sandbox does not see: say which folder to show.

In: where the tool was found on the caller's PATH. Out: one sentence and the line to add, or None.
Never: I/O; whoever looks along the PATH is backends/host.py.
"""

from typing import Final

from cleanroom.sandbox.host import HostFacts, WorkspaceView

NOT_EXECUTABLE: Final = 126  # the shell's status for a file that is no program
NOT_FOUND: Final = 127  # and for a command that is not there

# What people begin with, and is no program.
_BUILTINS: Final = frozenset(
    (".", "cd", "eval", "exec", "exit", "export", "set", "source", "trap", "ulimit", "unset")
)

# Folders that hold a whole tool manager: naming one shows every version it has.
_MANAGERS: Final = (
    "/.nvm",
    "/.pyenv",
    "/.rbenv",
    "/.volta",
    "/.asdf",
    "/.bun",
    "/.deno",
    "/.cargo",
    "/.rustup",
    "/.local/share/uv",
    "/.local/share/mise",
    "/.local/share/fnm",
    "/hostedtoolcache",
    "/nix/store",
)


def is_inside(path: str, host: HostFacts, workspace: WorkspaceView) -> bool:
    """Whether the sandbox sees `path` of the host."""
    places = (*host.system, *(tool.path for tool in host.tools), workspace.host_path)
    links = tuple(link.path for link in host.links)
    return any(path == place or path.startswith(f"{place}/") for place in (*places, *links))


def tool_folder(path: str) -> str:
    """The folder to name in `tools` so that the program at `path` works."""
    for manager in _MANAGERS:
        head, found, _ = path.partition(f"{manager}/")
        if found:
            return head + manager
    folder = path.rpartition("/")[0]
    if folder.endswith("/.local/bin"):
        return folder  # beside it are logins and keyrings
    parent = folder.rpartition("/")[0]
    return parent if folder.endswith("/bin") and parent.count("/") > 1 else folder


def not_started(word: str, status: int) -> str:
    """Return what to do about a word that could not be started, with the shell's status for it."""
    if status == NOT_EXECUTABLE:
        return f"make it executable (chmod +x), or name its interpreter: sh {word}"
    if "/" in word:
        return f"no {word} is inside, or not what its first line names as its interpreter"
    if word in _BUILTINS:
        return f"'{word}' is a word of the shell, which gets one argument: exec -- '{word} …'"
    return (
        f"no folder of the sandbox's PATH has '{word}': inside are the host's /usr, the workspace,"
        " what mise installs (docs/mise.md) and the folders of `tools` in config.yaml"
    )


def outside_view(
    word: str, found: tuple[str, ...], host: HostFacts, workspace: WorkspaceView
) -> str | None:
    """Why `word` is not there, if the caller has it and the sandbox does not see it.

    `found` is where the caller's PATH leads: the program, then what its links resolve to.
    """
    outside = [path for path in found if not is_inside(path, host, workspace)]
    if not outside:
        return None
    folders = ", ".join(dict.fromkeys(tool_folder(path) for path in outside))
    return (
        f"'{word}' is {outside[0]} for you, which the sandbox does not see;"
        f" add to config.yaml:  tools: [{folders}]"
    )
