"""config.yaml of the operator, read strictly: settings, each with where it was said.

In: the file's text and the daemon's environment. Out: Config, or every problem with line and
column. Never: an unknown key ignored. Strongest first: `CLEANROOM_…` variables, the file, defaults.
"""

import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

import cleanroom
from cleanroom.api.types import ConfigReport, ConfigValue
from cleanroom.daemon.config_keys import CONFIG
from cleanroom.daemon.settings import Settings
from cleanroom.errors import Code
from cleanroom.policy import nodes
from cleanroom.policy.fields import Key, Leaf, MapOf, Section, Spot
from cleanroom.policy.nodes import Node
from cleanroom.policy.problems import START, FileErrors, Problems, TooManyProblemsError
from cleanroom.policy.yaml_reader import MAX_BYTES, read_yaml

T = TypeVar("T")
Stamp: TypeAlias = "tuple[int, int, int] | None"  # of a file; None: it cannot be read

PREFIX: Final = "CLEANROOM_"
_WHOLE: Final = ("secrets", "mirrors")  # mappings that are one value
_EMPTY: Final = nodes.Mapping((), flow=False, place=START, start=0, end=0)


class Made(NamedTuple):
    """Something a daemon was made of: what a person is told, files, their stamps at that time."""

    name: str
    files: tuple[str, ...]
    stamps: tuple[Stamp, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """Settings in force; `path` and `text` are the file's, `origins` says where each was said.

    `made_of` is what else the daemon was made of: what `gateway.trust` names, the program.
    """

    settings: Settings
    path: str
    origins: Mapping[str, str]
    text: str = ""
    made_of: tuple[Made, ...] = ()


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Read the operator's file, if there is one. Raises FileErrors."""
    config = parse_config(_text(path), str(path), environment)
    made_of = [Made(each, (each,), (_stamp(each),)) for each in config.settings.gateway.trust]
    return replace(config, made_of=(*made_of, _program()))


def changed_file(config: Config) -> str:
    """Return a file that is another one by now, "" if none: the next daemon reads it."""
    try:
        if _text(Path(config.path)) != config.text:
            return config.path
    except FileErrors:
        return config.path
    changed = (each for each in config.made_of if tuple(map(_stamp, each.files)) != each.stamps)
    return next((each.name for each in changed), "")


def _program() -> Made:
    """Return what changes when cleanroom is installed anew, or its checkout gets other commits."""
    package = Path(cleanroom.__file__)
    files = (str(package), str(package.parents[2] / ".git" / "logs" / "HEAD"))
    return Made(str(package.parent), files, tuple(map(_stamp, files)))


def _stamp(path: str) -> Stamp:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _at_once(path: str, flags: int) -> int:
    """Open it without a wait for somebody who writes: each command has the daemon read it."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is a pipe")
    return descriptor


def _text(path: Path) -> str:
    try:
        with open(path, "rb", opener=_at_once) as file:
            return file.read(MAX_BYTES + 1).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        problem = Problems(str(path))
        problem.add(START, f"cannot read it: {error.strerror}")
        raise FileErrors(Code.REQUEST_INVALID, problem.found) from error


def parse_config(text: str, path: str, environment: Mapping[str, str]) -> Config:
    """Return what text and environment say. Raises FileErrors with every problem found."""
    problems = Problems(path)
    origins: dict[str, str] = {}
    settings = None
    try:
        root = read_yaml(text, problems) or _EMPTY
        if isinstance(root, nodes.Mapping):
            _note_origins(root, path, "", origins)
            root = _with_environment(root, environment, origins)
        settings = CONFIG.read(root, Spot(problems, ""))
    except TooManyProblemsError:
        pass
    if problems.found or settings is None:
        raise FileErrors(Code.REQUEST_INVALID, problems.found)
    return Config(settings, path, origins, text)


def report(config: Config) -> ConfigReport:
    """Return every setting with its value, as a file would say it, and its origin."""
    types = {name: key.value for name, key in every_key()}
    values = [
        ConfigValue(
            key=key,
            value=json.dumps(_written(types[key], value), default=asdict),
            origin=config.origins.get(key, "default"),
        )
        for key, value in _flat(config.settings, "")
    ]
    return ConfigReport(path=config.path, values=values, changed=bool(changed_file(config)))


def every_key(
    section: Section[object] = CONFIG, prefix: str = ""
) -> Iterator[tuple[str, Key[object]]]:
    """Yield each setting's full name and its key."""
    for key in section.keys:
        if isinstance(key.value, Section):
            yield from every_key(key.value, f"{prefix}{key.name}.")
        else:
            yield f"{prefix}{key.name}", key


def variable_of(name: str) -> str:
    """Return the environment variable of a setting: `gateway.proxy` is CLEANROOM_GATEWAY_PROXY."""
    return PREFIX + name.upper().replace(".", "_")


def has_variable(key: Key[object]) -> bool:
    """Tell whether a variable can say it: a mapping of sections is said in the file alone."""
    return not isinstance(key.value, MapOf)


def _note_origins(node: nodes.Mapping, path: str, prefix: str, origins: dict[str, str]) -> None:
    for name, value in node.entries:
        if isinstance(value, nodes.Mapping) and f"{prefix}{name.text}" not in _WHOLE:
            _note_origins(value, path, f"{prefix}{name.text}.", origins)
        else:
            origins[f"{prefix}{name.text}"] = f"{path}:{name.place.line}"


def _with_environment(
    root: nodes.Mapping, environment: Mapping[str, str], origins: dict[str, str]
) -> nodes.Mapping:
    """Put what CLEANROOM_… variables say in the place of what the file says. Raises FileErrors."""
    for name, key in every_key():
        said = environment.get(variable_of(name)) if has_variable(key) else None
        if said is not None:
            node = _node_of(said, key)
            wrong = Problems(variable_of(name))  # where it was said, not the file
            key.value.read(node, Spot(wrong, name))
            if wrong.found:
                raise FileErrors(Code.REQUEST_INVALID, wrong.found)
            origins[name] = variable_of(name)
            root = _replace(root, name.split("."), node)
    return root


def _node_of(said: str, key: Key[object]) -> Node:
    if isinstance(key.default, tuple):
        items = tuple(_scalar(part.strip()) for part in said.split(",") if part.strip())
        return nodes.Sequence(items, flow=True, place=START, start=0, end=0)
    return _scalar(said)


def _replace(node: nodes.Mapping, words: list[str], value: Node) -> nodes.Mapping:
    below = nodes.child(node, words[0])
    if len(words) > 1:
        inner = below if isinstance(below, nodes.Mapping) else _EMPTY
        value = _replace(inner, words[1:], value)
    kept = tuple(entry for entry in node.entries if entry[0].text != words[0])
    entries = (*kept, (_scalar(words[0]), value))
    return nodes.Mapping(entries, flow=False, place=node.place, start=node.start, end=node.end)


def _scalar(text: str) -> nodes.Scalar:
    return nodes.Scalar(text, plain=True, place=START, start=0, end=0)


def _written(kind: object, value: object) -> object:
    return kind.written(value) if isinstance(kind, Leaf) else value


def _flat(value: object, prefix: str) -> Iterator[tuple[str, object]]:
    if not is_dataclass(value):
        yield prefix, value
        return
    for field in fields(value):
        inner = f"{prefix}.{field.name}" if prefix else field.name
        yield from _flat(getattr(value, field.name), inner)
