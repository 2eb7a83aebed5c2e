from cleanroom.policy.nodes import Node, child, content_end
from cleanroom.policy.problems import Problems
from cleanroom.policy.yaml_reader import read_yaml


def node_of(text: str) -> Node:
    node = read_yaml(text, Problems("c"))
    assert node is not None
    return node


def test_a_child_is_found_by_key_only_in_a_mapping_that_has_it() -> None:
    root = node_of("a: [x]\n")
    items = child(root, "a")
    assert items is not None
    assert child(root, "b") is None
    assert child(items, "x") is None
    assert child(None, "a") is None


def test_content_ends_before_blank_lines_and_comments() -> None:
    for text in ("a:\n  - b: c", "a: [b]", "a:\n- b", "a: {}", "a: []", "a: 'x'", "a:\n  - b:"):
        node = node_of(f"{text}\n\n# comment\n\n")
        assert content_end(node) == len(text), text
