"""Rules put into the text of a policy; every comment and every other byte stays.

In: the file's text (None: there is none) and rules. Out: the new text, proven to mean the old
policy plus those rules. Never: an edit that was not read back and compared.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from cleanroom.errors import Code, UserError
from cleanroom.policy import nodes
from cleanroom.policy.compile import compile_policy
from cleanroom.policy.model import NetworkPolicy, Rule
from cleanroom.policy.nodes import Node, Scalar, child, content_end
from cleanroom.policy.parse import parse_policy
from cleanroom.policy.problems import PolicyErrors, Problems
from cleanroom.policy.render import block_rule, flow_rules
from cleanroom.policy.written import Policy
from cleanroom.policy.yaml_reader import read_yaml

_KEYS: Final = ("sandbox", "network", "allow")
_NEW: Final = "version: 1\n\nsandbox:\n  network:\n    default: deny\n    allow:\n"
_STEP: Final = "  "


@dataclasses.dataclass(frozen=True, slots=True)
class _Edit:
    """Text to put in at an offset; `lines` begin and end a line, else it is put inside one."""

    offset: int
    text: str = ""
    lines: tuple[str, ...] = ()


def insert_rules(text: str | None, rules: Sequence[Rule], path: str) -> str:
    """Return the text with `rules` added under sandbox.network.allow, comments kept.

    Raises PolicyErrors if the text is no valid policy or denies what a rule allows, UserError if
    its layout defeats the edit.
    """
    root = None if text is None else read_yaml(text, Problems(path))
    if text is None or (root is None and not _content(text)):
        entries = [line for rule in rules for line in block_rule(rule, _STEP * 3)]
        new = _NEW + "".join(f"{line}\n" for line in entries)
        return new if not text else f"{text.rstrip()}\n{new}"
    old = parse_policy(text, path)
    if not rules or root is None:
        return text
    new = _apply(text, _edit(root, rules))
    _compare(new, _with_rules(old, rules))
    return new


def _content(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return "".join(line for line in lines if not line.startswith("#"))


def _edit(root: Node, rules: Sequence[Rule]) -> _Edit:
    """Find the deepest of sandbox, network, allow that exists, and write the rest into it."""
    parent: Node = root
    for depth, key in enumerate(_KEYS):
        value = child(parent, key)
        if value is None:
            return _add_key(parent, depth, rules)
        if isinstance(value, Scalar):
            return _fill_key(parent, value, depth, rules)
        parent = value
    return _add_items(parent, rules)


def _add_key(parent: Node, depth: int, rules: Sequence[Rule]) -> _Edit:
    if _is_flow(parent):
        return _Edit(*_flow_end(parent, f"{_KEYS[depth]}: {_flow(depth + 1, rules)}"))
    indent = " " * (parent.place.column - 1)
    return _Edit(content_end(parent), lines=tuple(_block(depth, indent, rules)))


def _fill_key(parent: Node, value: Scalar, depth: int, rules: Sequence[Rule]) -> _Edit:
    """`key:` stands there with nothing behind it."""
    if _is_flow(parent):
        return _Edit(value.start, f" {_flow(depth + 1, rules)}")
    indent = " " * (parent.place.column - 1)
    return _Edit(value.start, lines=tuple(_block(depth, indent, rules))[1:])


def _add_items(items: Node, rules: Sequence[Rule]) -> _Edit:
    if _is_flow(items):
        return _Edit(*_flow_end(items, flow_rules(rules)))
    indent = " " * (items.place.column - 1)
    lines = [line for rule in rules for line in block_rule(rule, indent)]
    return _Edit(content_end(items), lines=tuple(lines))


def _is_flow(node: Node) -> bool:
    """Tell whether what is put into `node` must be written in flow style."""
    return not isinstance(node, Scalar) and node.flow


def _flow_end(node: Node, text: str) -> tuple[int, str]:
    """Return where to go on in a flow collection, and the text with the comma it needs."""
    match node:
        case nodes.Sequence(items=(*_, last)):
            return last.end, f", {text}"
        case nodes.Mapping(entries=(*_, (_, last))):
            return last.end, f", {text}"
        case _:
            return node.start + 1, text


def _block(depth: int, indent: str, rules: Sequence[Rule]) -> list[str]:
    lines = []
    for key in _KEYS[depth:]:
        lines.append(f"{indent}{key}:")
        indent += _STEP
    return lines + [line for rule in rules for line in block_rule(rule, indent)]


def _flow(depth: int, rules: Sequence[Rule]) -> str:
    text = f"[{flow_rules(rules)}]"
    for key in reversed(_KEYS[depth:]):
        text = f"{{{key}: {text}}}"
    return text


def _apply(text: str, edit: _Edit) -> str:
    if not edit.lines:
        return text[: edit.offset] + edit.text + text[edit.offset :]
    newline = "\r\n" if "\r\n" in text else "\n"
    block = newline.join(edit.lines)
    offset = edit.offset
    if text[:offset].endswith("\n"):
        return f"{text[:offset]}{block}{newline}{text[offset:]}"
    offset = text.find("\n", offset) + 1
    if not offset:  # the last line has no end
        return f"{text}{newline}{block}{newline}"
    return f"{text[:offset]}{block}{newline}{text[offset:]}"


def _with_rules(policy: Policy, rules: Sequence[Rule]) -> Policy:
    network = policy.sandbox.network
    more = NetworkPolicy((*network.allow_rules, *rules), network.deny_rules)
    return dataclasses.replace(policy, sandbox=dataclasses.replace(policy.sandbox, network=more))


def _compare(text: str, wanted: Policy) -> None:
    """Raise unless `text` means `wanted`, and the wanted policy is free of contradictions."""
    compiled = compile_policy(wanted)
    try:
        meaning = compile_policy(parse_policy(text, wanted.path)).policy_hash
    except PolicyErrors:
        meaning = ""
    if meaning != compiled.policy_hash:
        message = f"cannot edit {wanted.path}: its layout is too unusual to add rules to"
        raise UserError(Code.POLICY_INVALID, message, "add the rules by hand")
