"""A git configuration without what authenticates: text in, text out.

In: the text of a repository's .git/config. Out: the same without credential and include sections,
headers, passwords and URL userinfo. Never: a line that was not understood.
"""

import re
from typing import Final

_HEADER: Final = re.compile(
    r'\s*\[\s*(?P<section>[A-Za-z0-9.-]+)(?:\s+"(?P<name>(?:[^"\\]|\\.)*)")?\s*\](?P<rest>.*)',
    re.DOTALL,
)
_KEY: Final = re.compile(r"\s*(?P<key>[A-Za-z][A-Za-z0-9-]*)\s*(?:=.*)?", re.DOTALL)
_COMMENT: Final = re.compile(r"\s*(?:[#;].*)?", re.DOTALL)
# An include may name a file with the header in it, as a popular checkout action does.
_SECTIONS: Final = ("credential", "include", "includeif")
_SECRET_KEY: Final = re.compile(r"(extraheader|cookiefile|pass|password|token|secret)$")
_USERINFO: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<user>[^/\s\"?#]*)@")


def sanitize(text: str) -> str:
    """The configuration a sandbox may see. Raises nothing; unknown lines are left out."""
    kept: list[str] = []
    dropping = False
    for line in _logical_lines(text):
        if "\n" in line and ("#" in line or ";" in line):
            # Is the backslash in a comment, where it continues nothing? Git knows; we drop both.
            dropping = True
            continue
        header = _HEADER.fullmatch(line)
        if header:
            dropping = header["section"].lower().split(".")[0] in _SECTIONS
            # a key may follow on the same line
            shown = line if _is_kept(header["rest"]) else line[: header.start("rest")]
        else:
            shown = line if _is_kept(line) else ""
        if shown and not dropping:
            kept.append(_USERINFO.sub(_without_userinfo, shown))
    return "".join(f"{line}\n" for line in kept)


def _is_kept(line: str) -> bool:
    if _COMMENT.fullmatch(line):
        # a token that was put aside is a token
        line = line.lstrip("#; \t")
        return (
            not line or not (key := _KEY.match(line)) or not _SECRET_KEY.search(key["key"].lower())
        )
    key = _KEY.fullmatch(line)
    return key is not None and not _SECRET_KEY.search(key["key"].lower())


def _without_userinfo(match: re.Match[str]) -> str:
    """A user name is needed by ssh and is no secret there; a password never stays."""
    scheme = match["scheme"]
    user = match["user"].partition(":")[0]
    keep = user and "ssh" in scheme.lower()
    return f"{scheme}://{user}@" if keep else f"{scheme}://"


def _logical_lines(text: str) -> list[str]:
    """Lines, each with its continuations (a backslash at the end of a line)."""
    lines: list[str] = []
    pending = ""
    for line in text.split("\n"):
        if not pending and _COMMENT.fullmatch(line):
            lines.append(line)  # a comment ends with its line, whatever is in it
            continue
        pending += line
        if (len(line) - len(line.rstrip("\\"))) % 2:
            pending += "\n"
            continue
        lines.append(pending)
        pending = ""
    lines.append(pending)
    while lines and not lines[-1]:
        lines.pop()
    return lines
