"""A hostile Python index and file host, in sandboxes that have nothing but them. Promise R12."""

import pytest

from tests.escape.registry_internet import Project, Reply, sha256, unique, wheel
from tests.escape.registry_world import PYPI, Registries

pytestmark = pytest.mark.escape


@pytest.fixture
def project() -> Project:
    """A project of this test alone."""
    return Project(unique("some_pkg"))


def good(project: Project) -> list[object]:
    """Return what `fetch` returns of its wheel."""
    return [200, "OK", sha256(project.wheel), len(project.wheel)]


def test_any_file_of_a_locked_version_is_held_to_its_digests(
    outside: Registries, project: Project
) -> None:
    """The control: wheel and source distribution, wherever the file host has them."""
    outside.script.answers(f"files.test{project.file}", Reply(project.wheel))
    outside.script.answers(f"files.test/x/{project.name}-1.0.tar.gz", Reply(project.sdist))
    paths = (project.file, f"/x/{project.name}-1.0.tar.gz")
    found = outside.get(PYPI, project.lock, *paths, host="files.test")
    assert found == [good(project), [200, "OK", sha256(project.sdist), len(project.sdist)]]
    assert outside.get(PYPI, project.lock, *paths, host="files.test") == found
    assert len(outside.script.asked) == 2


def test_what_is_not_locked_is_refused_by_name_version_and_bytes(
    outside: Registries, project: Project
) -> None:
    other = wheel(project.module, "1.1")
    name, module, tail = project.name, project.module, "-py3-none-any.whl"
    unlocked = (
        f"/x/{module}-1.1{tail}", f"/x/{name}-1.0.post1.tar.gz", f"/x/{module}-1.0rc1{tail}",
        "/x/other-1.0.tar.gz", f"/x/{module}-1-1.0.tar.gz", f"/x/{name}.extra-1.0.tar.gz",
        f"/x/{module}-1.0+local{tail}",
    )  # fmt: skip
    for path in unlocked:
        outside.script.answers(f"files.test{path}", Reply(other))
    for each in outside.get(PYPI, project.lock, *unlocked, host="files.test"):
        assert (each[0], each[1].split(":")[0]) == (403, "lockfile_violation"), each
    assert outside.script.asked == []
    outside.script.answers(f"files.test{project.file}", Reply(other))
    (found,) = outside.get(PYPI, project.lock, project.file, host="files.test")
    assert (found[0], found[1].split(":")[0]) == (403, "integrity_mismatch")
    assert not outside.keeps_any(other)


def test_a_project_has_one_name_however_it_is_spelt(outside: Registries, project: Project) -> None:
    outside.script.answers(f"index.test/simple/{project.name}/", project.page)
    spelt = (project.name, project.module.title(), project.name.replace("-", ".-_"))
    paths = (*(f"/simple/{each}/" for each in spelt), f"/simple/{project.name}")
    for each in outside.get(PYPI, project.lock, *paths, host="index.test"):
        assert each == [200, "OK", sha256(project.page.body), len(project.page.body)]
    assert len(outside.script.asked) == 1
    odd = f"/x/{project.name.title().replace('-', '.')}-1.0.tar.gz"
    outside.script.answers(f"files.test{odd}", Reply(project.sdist))
    (found,) = outside.get(PYPI, project.lock, odd, host="files.test")
    assert found[0] == 200


def test_metadata_beside_a_file_promises_nothing_about_the_file(
    outside: Registries, project: Project
) -> None:
    """What an index says there may be false; the file is judged by the lock all the same."""
    outside.script.answers(f"files.test{project.file}.metadata", Reply(b"Name: evil\n"))
    outside.script.answers(f"files.test{project.file}", Reply(project.sdist[:-1] + b"x"))
    metadata, file = outside.get(
        PYPI, project.lock, f"{project.file}.metadata", project.file, host="files.test"
    )
    assert metadata[0] == 200
    assert file[0] == 403


def test_nothing_else_of_an_index_is_there(outside: Registries, project: Project) -> None:
    said = outside.ask(
        PYPI, project.lock, ("index.test", "/legacy/", "POST"), ("index.test", "/simple/"),
        ("index.test", "/search?q=x"), ("files.test", "/"), ("index.test", "/simple/a%2fb/"),
    )  # fmt: skip
    assert {each[0] for each in said.result} <= {400, 403}, said.result
    assert outside.script.asked == []
