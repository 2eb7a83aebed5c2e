"""Whether the secret of each mirror is where the configuration says."""

from pathlib import Path

from cleanroom.daemon.doctor_mirrors import mirror_items
from cleanroom.daemon.doctor_report import Report, render_json, render_text

CONFIG = """\
secrets:
  a: {{env: A_TOKEN}}
  b: {{file: {file}}}
  c: {{command: [no-such-program-of-cleanroom]}}
  d: {{keyring: {{service: x}}}}
mirrors:
  a.example: {{url: https://m.example/a, auth: a, storage: [s3.example]}}
  b.example: {{url: https://m.example/b, auth: b}}
  c.example: {{url: https://m.example/c, auth: c}}
  d.example: {{url: https://m.example/d, auth: d}}
  e.example: {{url: https://m.example/e, storage: [s3.example, d.example:9000]}}
"""


def environment(folder: Path, text: str) -> dict[str, str]:
    (folder / "cleanroom").mkdir()
    (folder / "cleanroom/config.yaml").write_text(text)
    return {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def test_each_mirror_says_what_is_missing(tmp_path: Path) -> None:
    said = environment(tmp_path, CONFIG.format(file=tmp_path / "b"))
    found = mirror_items(said, 1000)
    assert [item.present for item in found] == [False, False, False, True, True]
    assert (
        found[0].detail
        == "https://m.example/a, files in s3.example, secret 'a' of env: A_TOKEN is not set"
    )
    assert found[2].detail.endswith("there is no program no-such-program-of-cleanroom")
    assert found[4].detail == "https://m.example/e, files in s3.example, d.example:9000"
    (tmp_path / "b").write_text("x")
    found = mirror_items({**said, "A_TOKEN": "y"}, 1000)
    assert [item.present for item in found] == [True, True, False, True, True]
    report = Report((), (), mirrors=found[:1])
    assert (
        "+ a.example: https://m.example/a, files in s3.example, secret 'a' of env"
        in render_text(report)
    )
    assert '"name": "a.example"' in render_json(report)


def test_a_configuration_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (item,) = mirror_items(environment(tmp_path, "nothing: 1\n"), 1000)
    assert (item.name, item.present) == ("config.yaml", False)


def test_without_mirrors_there_is_nothing(tmp_path: Path) -> None:
    assert mirror_items(environment(tmp_path, ""), 1000) == ()
