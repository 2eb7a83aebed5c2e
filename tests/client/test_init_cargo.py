"""Which index cargo's configuration puts in the place of its own."""

from pathlib import Path

import pytest

from cleanroom.client.init_cargo import cargo_configured

OWN = '[source.crates-io]\nreplace-with = "own"\n[source.own]\nregistry = "sparse+https://%s/i/"\n'


def test_the_projects_words_count_more_than_the_users(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "root"
    for folder in (home / ".cargo", home / "else", root / ".cargo"):
        folder.mkdir(parents=True)
    assert cargo_configured(root, {}, str(home)) == ""
    (home / ".cargo/config.toml").write_text(OWN % "user.example")
    assert cargo_configured(root, {}, str(home)) == "https://user.example/i/"
    (home / "else/config").write_text(OWN % "me:pw@else.example:8443")
    other = {"CARGO_HOME": str(home / "else")}
    assert cargo_configured(root, other, str(home)) == "https://else.example:8443/i/"
    (root / ".cargo/config.toml").write_text(OWN % "project.example")
    assert cargo_configured(root, other, str(home)) == "https://project.example/i/"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[source",
        f"n = {'9' * 5000}",
        "source = 1",
        "source.crates-io = 1",
        '[source.crates-io]\nreplace-with = "absent"\n',
        '[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "crates-io"\n',
        (OWN % "x.example").replace("sparse+", ""),
        (OWN % "x.example").replace('"sparse+https://x.example/i/"', "1"),
        '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "vendor"\n',
    ],
)
def test_anything_else_replaces_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo/config.toml").write_text(text)
    assert cargo_configured(tmp_path / "root", {}, str(tmp_path)) == ""
