import pytest

from tests.lockfile.reading import error, pins, refused

FORMAT = "go.sum"
DIGEST = "h1:" + "A" * 43 + "="


def test_a_module_and_its_go_mod_are_pins_of_their_own() -> None:
    text = f"h.example/A v1.0.0+incompatible {DIGEST}\r\nh.example/A v1.0.0/go.mod {DIGEST}\n\n"
    assert pins(FORMAT, text) == [
        "h.example/A v1.0.0+incompatible zip h1",
        "h.example/A v1.0.0 go.mod h1",
    ]


def test_a_digest_of_another_kind_pins_nothing() -> None:
    said = "1 a v1.0.0: the lock file has no usable digest of it"
    assert refused(FORMAT, f"a v1.0.0 h2:{DIGEST}") == [said]


@pytest.mark.parametrize("line", ["x", "a v1.0.0", f"a 1.0.0 {DIGEST}", f"a v1 {DIGEST} x"])
def test_a_line_that_go_does_not_write_is_an_error(line: str) -> None:
    said = "2:1 cannot read it as go.sum: the line is no 'MODULE VERSION DIGEST'"
    assert error(FORMAT, f"\n{line}\n") == said
