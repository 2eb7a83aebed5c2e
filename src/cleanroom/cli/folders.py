"""`--workspace`, `--mount`, `--volume`: which folders a sandbox has, and how.

In: flag values. Out: fields of RunOptions (api/types.py). Never: a folder reached through a link,
which a repository could have put there.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH100

import os

from cleanroom.cli.parser import Options, Parser
from cleanroom.errors import Code, UsageError, UserError

_MODES = ("cow", "ro", "live")


def add_folder_flags(parser: Parser) -> None:
    """Add the flags."""
    parser.value("--workspace", "MODE", "how it has the workspace: cow, ro or live")
    parser.values("--mount", "DIR[:/AT][:rw]", "show this folder too, read-only or kept in step")
    parser.values("--volume", "NAME:/AT", "a folder at /AT that outlives the sandbox")


def _volume(text: str) -> dict[str, str]:
    name, _, place = text.partition(":")
    if not _is_name(name) or not place.startswith("/"):
        message = f"cannot read --volume {text!r}"
        raise UsageError(Code.REQUEST_INVALID, message, "write name:/AT, e.g. home:/home/cleanroom")
    return {"name": name, "at": place}


def _is_name(text: str) -> bool:
    """Whether it is plainly a volume's name; no regular expression, which costs every exec 2 ms."""
    plain = text.replace("-", "a").replace(".", "a").replace("_", "a")
    return (text[:1] + plain).isalnum() and text.isascii() and text == text.lower()


def folder_options(options: Options) -> dict[str, object]:
    """Return what the flags say."""
    return {
        "workspace_mode": _mode(options.workspace),
        "mounts": [_mount(text) for text in options.mount],
        "volumes": [_volume(text) for text in options.volume],
    }


def _mode(text: str | None) -> str | None:
    if text not in (None, *_MODES):
        message = f"cannot read --workspace {text!r}"
        raise UsageError(Code.REQUEST_INVALID, message, f"write one of {', '.join(_MODES)}")
    return text


def _mount(text: str) -> dict[str, object]:
    folder, *rest = text.split(":")
    access = rest.pop() if rest and not rest[-1].startswith("/") else "ro"
    if not folder or len(rest) > 1 or access not in ("ro", "rw"):
        message = f"cannot read --mount {text!r}"
        raise UsageError(Code.REQUEST_INVALID, message, "write DIR, DIR:/AT or DIR:/AT:rw")
    place = {"at": rest[0]} if rest else {}
    return {"path": _canonical(folder), **place, **({"writable": True} if access == "rw" else {})}


def _canonical(folder: str) -> str:
    path = os.path.abspath(folder)
    real = os.path.realpath(path)
    if real != path:
        message = f"cannot mount {folder}: a link on its way leads to {real}"
        raise UserError(Code.REQUEST_INVALID, message, f"name the folder itself: --mount {real}")
    return path
