"""A kept sandbox: listed, looked at, followed, stopped."""

import json

from tests.flow.conftest import Person


def test_the_life_of_a_kept_sandbox(person: Person) -> None:
    person.types("exec", "--sandbox", "dev", "--keep", "deny evil.test 443")
    listed = person.types("sandboxes", "list").out.splitlines()
    assert len(listed) == 2
    assert " dev " in listed[1]
    assert person.types("ps").out.splitlines() == listed
    assert "ready" in person.types("sandboxes", "inspect", "dev").out
    with person.start("sandboxes", "events", "dev", "--follow") as following:
        assert person.types("sandboxes", "stop", "dev").status == 0
        out, _ = following.communicate(timeout=20)
    events = out.decode()
    assert following.returncode == 0
    assert "sandbox.ready" in events
    assert "denied tcp evil.test:443 host_not_allowed" in events
    assert person.types("sandboxes", "list").out.splitlines()[1:] == []
    (ended,) = json.loads(person.types("sandboxes", "list", "--all", "--json").out)["sandboxes"]
    assert ended["state"] == "stopped"
    done = person.types("exec", "--sandbox", "nothing here", "true")
    assert done.status == 125


def test_an_unknown_sandbox_is_an_error_with_its_code(person: Person) -> None:
    for words in (("inspect", "x"), ("stop", "x"), ("events", "x")):
        done = person.types("sandboxes", *words)
        assert done.status == 1
        assert "sandbox_not_found" in done.err


def test_one_that_was_created_is_run_in_by_its_id(person: Person) -> None:
    made = person.types("sandboxes", "create").out.strip()
    assert person.types("exec", "--sandbox", made, "echo", "inside").out == "inside\n"
    shown = person.types("sandboxes", "list", "--filter", "state=ready", "--format", "{id}")
    assert shown.out == f"{made}\n"
    assert person.types("sandboxes", "stop", made).status == 0
    late = person.types("exec", "--sandbox", made, "true")
    assert late.status == 125
    assert "sandbox_not_found" in late.err
