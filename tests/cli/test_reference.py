"""docs/cli.md says all that the commands take."""

from cleanroom.cli.main import COMMANDS, load
from cleanroom.cli.reference import JSON_SHAPES, render_markdown


def test_every_flag_of_every_command_is_on_the_page() -> None:
    page = render_markdown()
    for name in COMMANDS:
        for parser in load(name).parsers():
            for flag in parser.flags:
                assert f"| `{flag.usage}` | {flag.text} |" in page


def test_every_json_flag_is_documented() -> None:
    with_json = {
        parser.prog.removeprefix("cleanroom ")
        for name in COMMANDS
        for parser in load(name).parsers()
        if any("--json" in flag.names for flag in parser.flags)
    }
    assert with_json == set(JSON_SHAPES)
