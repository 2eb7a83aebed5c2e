"""The daemon's workspaces, joined: an order in, a plan and later its changes out."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.api.change_types import ApplyRequest, SkippedPath
from cleanroom.api.mount_types import VolumeRequest
from cleanroom.api.types import ClientFacts, RunOptions
from cleanroom.backends.workspace import changes
from cleanroom.backends.workspace.turn import turn
from cleanroom.daemon.parts import Order, Prepared, Wanted
from cleanroom.daemon.volumes import Volumes
from cleanroom.daemon.workspaces import LocalWorkspaces, client_environment
from cleanroom.errors import Refused, UserError
from cleanroom.policy.demands import Capability
from cleanroom.policy.model import CompiledPolicy
from cleanroom.sandbox.host import ClientEnvironment, HostFacts
from cleanroom.sandbox.spec import Overlay

HOST = HostFacts(("/usr",), (), (), b"roots")
NEEDS = frozenset({Capability.NETWORK_DEFAULT_DENY})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    (tmp_path / "sandbox").mkdir()
    (root / "a").write_text("a")
    (root / ".env").write_text("TOKEN=1")
    (root / ".gitignore").write_text("*.log\n")
    return root


async def prepared(workspaces: LocalWorkspaces, root: Path) -> Prepared:
    facts = ClientFacts(term="xterm", registries={"npm": "https://registry.example/"})
    policy = CompiledPolicy("sha256:0", "")
    order = Order("sbx_1", str(root), policy, NEEDS, RunOptions(), facts)
    return await workspaces.prepare(order, root.parent / "sandbox")


def ready(root: Path) -> tuple[LocalWorkspaces, Prepared, Path]:
    """Workspaces with one sandbox, its plan, and its upper layer."""
    workspaces = LocalWorkspaces(HOST)
    plan = asyncio.run(prepared(workspaces, root))
    return workspaces, plan, root.parent / "sandbox/workspace/upper"


def test_an_order_becomes_a_plan(repository: Path) -> None:
    _, plan, upper = ready(repository)
    overlay = plan.spec.mounts[-1]
    assert isinstance(overlay, Overlay)
    assert (overlay.targets[1], overlay.upper) == (str(repository), str(upper))
    assert plan.spec.needs == NEEDS
    assert dict(plan.spec.environment)["npm_config_registry"] == "https://registry.example/"
    assert plan.notes == ("left out of the sandbox: .env (see .cleanroomignore)",)


def test_a_view_that_is_renewed_follows_the_host(repository: Path) -> None:
    workspaces, plan, upper = ready(repository)
    (upper / "kept").touch()
    (repository / "id_rsa").touch()
    folder = repository.parent / "sandbox"
    again = asyncio.run(workspaces.renew(plan, str(repository), folder))
    assert again.spec == plan.spec
    assert again.notes == ("left out of the sandbox: .env, id_rsa (see .cleanroomignore)",)
    assert (upper / "kept").exists()


def test_a_command_has_the_sandboxs_environment_and_its_own(repository: Path) -> None:
    workspaces, plan, _ = ready(repository)
    options = RunOptions(environment={"A": "1"}, tty=True, rows=5, columns=6)
    command = workspaces.command(plan, Wanted(("npm test",), "packages/a", options))
    assert command.argv == ("/bin/sh", "-c", "npm test")
    assert command.cwd == "/workspace/packages/a"
    assert dict(command.environment)["A"] == "1"
    assert (command.tty, command.rows, command.columns) == (True, 5, 6)
    with pytest.raises(UserError):
        workspaces.command(plan, Wanted((), "", RunOptions()))


def test_changes_are_listed_shown_and_applied(repository: Path) -> None:
    workspaces, _, upper = ready(repository)
    folder = repository.parent / "sandbox"
    (upper / "a").write_text("changed")
    (upper / "new").write_text("new\n")
    (upper / "empty").mkdir()
    (upper / "x.log").touch()

    async def work() -> None:
        changes = await workspaces.changes(folder)
        assert [(each.path, each.kind, each.size) for each in changes.changes] == [
            ("a", "modified", 7),
            ("empty/", "added", 0),
            ("new", "added", 4),
        ]
        reason = "ignored by git: not listed"
        assert changes.skipped == [SkippedPath(path="x.log", reason=reason)]
        assert await workspaces.count(folder) == (3, 1, False)
        assert "+new\n" in await workspaces.patch(folder)
        assert await workspaces.size(folder) > 0
        tried = await workspaces.apply(folder, ApplyRequest(paths=["new"], check=True))
        assert tried.applied == ["new"]
        assert not (repository / "new").exists()
        done = await workspaces.apply(folder, ApplyRequest(paths=["new", "none"]))
        assert (done.applied, [each.path for each in done.skipped]) == (["new"], ["none"])
        assert (repository / "new").read_text() == "new\n"
        await workspaces.mend(folder)
        await workspaces.forget(folder)
        await workspaces.forget(folder)

    asyncio.run(work())
    assert not folder.exists()


def test_a_deletion_has_no_size_and_a_conflict_its_reason(repository: Path) -> None:
    workspaces, _, upper = ready(repository)
    folder = repository.parent / "sandbox"
    (upper / "b").write_text("inside")
    (repository / "b").write_text("host")

    async def work() -> None:
        report = await workspaces.apply(folder, ApplyRequest())
        assert [each.path for each in report.conflicts] == ["b"]
        (repository / "a").unlink()
        (upper / "a").mkdir()
        changes = await workspaces.changes(folder)
        assert [(each.path, each.size) for each in changes.changes] == [("a/", 0), ("b", 6)]

    asyncio.run(work())


def test_a_tool_that_only_the_caller_has_is_explained(repository: Path) -> None:
    workspaces, _, _ = ready(repository)
    tool = repository.parent / "tools/bin/mytool"
    tool.parent.mkdir(parents=True)
    tool.touch(mode=0o755)
    path = f"/usr/bin:{tool.parent}"
    for command in (("mytool", "x"), ("mytool --flag",)):
        wanted = Wanted(command, "", RunOptions())
        said = workspaces.missing_tool(str(repository), path, wanted)
        assert said.endswith(f"tools: [{repository.parent}/tools], then run it again")
    for command in (("sh",), ("none",), (" ",)):
        wanted = Wanted(command, "", RunOptions())
        assert workspaces.missing_tool(str(repository), path, wanted) == ""


def test_what_the_client_said_arrives_whole() -> None:
    facts = ClientFacts(
        path="/bin",
        term="t",
        colorterm="c",
        lang="l",
        tz="z",
        no_color=True,
        git_name="n",
        git_email="e",
        registries={"pip": "p", "npm": "n"},
    )
    registries = (("npm", "n"), ("pip", "p"))
    assert client_environment(facts) == ClientEnvironment(
        "/bin",
        "t",
        "c",
        "l",
        "z",
        no_color=True,
        git_name="n",
        git_email="e",
        registries=registries,
    )


def test_a_branch_is_judged_by_name_and_has_no_paths(repository: Path) -> None:
    workspaces, _, _ = ready(repository)
    folder = repository.parent / "sandbox"
    for request, why in (
        (ApplyRequest(branch="a", paths=["a"]), "single paths"),
        (ApplyRequest(branch="a..b"), "branch named"),
        (ApplyRequest(branch="a"), "no git repository"),
    ):
        with pytest.raises(UserError, match=why):
            asyncio.run(workspaces.apply(folder, request))


def order_with_volume(root: Path) -> Order:
    options = RunOptions(volumes=[VolumeRequest(name="home", at="/home/cleanroom")])
    return Order("sbx_1", str(root), CompiledPolicy("sha256:0", ""), NEEDS, options, ClientFacts())


def test_a_view_is_not_removed_while_somebody_applies_it(repository: Path) -> None:
    workspaces, _, upper = ready(repository)
    folder = repository.parent / "sandbox"

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            with turn(folder):
                removal = group.create_task(workspaces.forget(folder))
                done, _ = await asyncio.wait((removal,), timeout=0.1)
                assert not done
                assert upper.exists()

    asyncio.run(scenario())
    assert not upper.exists()


def test_a_volume_is_the_workspaces_and_one_sandboxs_at_a_time(repository: Path) -> None:
    folder = repository.parent / "sandbox"
    volumes = Volumes(repository.parent / "volumes", 1 << 20)
    workspaces = LocalWorkspaces(HOST, volumes=volumes)
    order = order_with_volume(repository)
    planned = replace(order, only_planned=True)
    assert asyncio.run(workspaces.prepare(planned, folder)).spec.mounts
    assert volumes.every() == []
    plan = asyncio.run(workspaces.prepare(order, folder))
    overlay = plan.spec.mounts[-1]
    assert isinstance(overlay, Overlay)
    assert (overlay.targets, overlay.most_bytes) == (("/home/cleanroom",), 1 << 20)
    assert [(kept.of.path, kept.name) for kept in volumes.every()] == [(str(repository), "home")]
    taken = replace(order, taken={(str(repository), "home"): "sbx_2"})
    with pytest.raises(UserError, match="the sandbox sbx_2 has it"):
        asyncio.run(workspaces.prepare(taken, folder))
    with pytest.raises(Refused, match="keeps none"):
        asyncio.run(LocalWorkspaces(HOST).prepare(order, folder))


def test_a_volume_whose_place_is_refused_is_not_made(repository: Path) -> None:
    volumes = Volumes(repository.parent / "volumes", 1 << 20)
    workspaces = LocalWorkspaces(HOST, volumes=volumes)
    options = RunOptions(volumes=[VolumeRequest(name="home", at="/etc")])
    order = replace(order_with_volume(repository), options=options)
    with pytest.raises(UserError, match="the sandbox has /etc there"):
        asyncio.run(workspaces.prepare(order, repository.parent / "sandbox"))
    assert volumes.every() == []


def test_what_is_too_much_to_list_is_kept(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspaces, _, upper = ready(repository)
    monkeypatch.setattr(changes, "MAX_ENTRIES", 3)
    (upper / "many").mkdir()
    for number in range(9):
        (upper / "many" / str(number)).touch()
    counted = asyncio.run(workspaces.count(repository.parent / "sandbox"))
    assert (counted.changed, type(counted.changed)) == (1, int)
