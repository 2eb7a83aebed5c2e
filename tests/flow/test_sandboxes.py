"""A kept sandbox: listed, looked at, followed, stopped."""

import json

from tests.flow.conftest import Person
from tests.flow.test_exec import wait_for


def test_the_life_of_a_kept_sandbox(person: Person) -> None:
    person.types("exec", "--sandbox", "dev", "--keep", "deny evil.test 443")
    listed = person.types("sandboxes", "list").out.splitlines()
    assert len(listed) == 2
    assert " dev " in listed[1]
    by_alias = person.types("ps").out.splitlines()
    assert [line.split()[:4] for line in by_alias] == [line.split()[:4] for line in listed]
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
    assert done.status == 2
    assert "cannot name a sandbox 'nothing here'" in done.err


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


def test_one_that_is_removed_is_found_no_more(person: Person) -> None:
    with person.start("exec", "--sandbox", "dev", "-v", "sleep") as running:
        wait_for(running, b"run run_")
        refused = person.types("rm", "dev")
        assert (refused.status, "conflict" in refused.err) == (1, True)
        assert person.types("sandboxes", "extend", "dev", "--ttl", "1h").status == 0
        assert person.types("rm", "--force", "dev").out.endswith(" removed\n")
        assert running.wait(30) in (125, 130, 137, 143)
    again = person.types("rm", "dev")
    assert (again.status, "sandbox_not_found" in again.err) == (1, True)
    assert person.types("exec", "--sandbox", "dev", "true").status == 0  # the name is free
    assert person.types("stop", "dev").status == 0
    assert person.types("sandboxes", "prune").out.endswith(" removed\n")
    assert json.loads(person.types("sandboxes", "list", "-a", "--json").out)["sandboxes"] == []
