"""A plan decides everything and starts nothing."""

from pathlib import Path

from cleanroom.daemon.planning import mount_text
from cleanroom.sandbox.spec import Bind, File, Overlay, Symlink, Tmpfs
from tests.daemon.daemons import Setting, play, run_request, running


def test_a_plan_starts_nothing_and_leaves_nothing(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            body = run_request("echo hello", options={"environment": {"A": "b"}})
            status, plan = await daemon.ask("POST", "/v1/runs/plan", body)
            assert status == 200
            assert plan["argv"] == ["/bin/sh", "-c", "echo hello"]
            assert plan["environment"]["A"] == "b"
            assert plan["cwd"] == "/workspace"
            assert plan["missing_capabilities"] == []
            assert setting.backend.sandboxes == []
            assert list(setting.paths.sandboxes.iterdir()) == []
            assert (await daemon.ask("GET", "/v1/runs"))[1]["runs"] == []

    play(conversation())


def test_a_plan_lists_what_is_missing_instead_of_refusing(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            body = run_request("true", policy="version: 1\nsandbox: {image: debian}\n")
            status, plan = await daemon.ask("POST", "/v1/runs/plan", body)
            assert status == 200
            assert plan["missing_capabilities"][0]["capability"] == "custom_image"

    play(conversation())


def test_a_plan_says_ports_and_refuses_what_a_run_would(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            ports = [{"port": 3000, "host_port": 8080}, {"port": 1, "host_port": 0}]
            body = run_request("true", options={"publish": ports})
            _, plan = await daemon.ask("POST", "/v1/runs/plan", body)
            assert "port 3000 would be at 127.0.0.1:8080" in plan["notes"]
            assert "port 1 would be at 127.0.0.1:(any that is free)" in plan["notes"]
            body = run_request("true", options={"idle_s": 60})
            assert (await daemon.ask("POST", "/v1/runs/plan", body))[0] == 400

    play(conversation())


def test_mounts_are_sentences() -> None:
    assert mount_text(Bind("/usr", "/usr")) == "/usr: /usr, read-only"
    assert mount_text(Bind("/a", "/b", writable=True)) == "/b: /a, writable"
    view = Overlay(("/workspace", "/w"), ("mask", "/w"), "upper", "work")
    assert mount_text(view) == "/workspace and /w: /w, copy-on-write"
    assert mount_text(Overlay(("/t",), ("/t",))) == "/t: /t, read-only"
    assert "10 bytes in memory" in mount_text(Tmpfs("/home", 10))
    assert mount_text(Symlink("usr/bin", "/bin")) == "/bin: link to usr/bin"
    assert mount_text(File(b"abc", "/etc/x")).startswith("/etc/x: 3 bytes")
