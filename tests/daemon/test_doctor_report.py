"""The report in both forms."""

import json

from cleanroom.backends.base import Probe
from cleanroom.daemon.doctor_report import HostItem, Repair, Report, render_json, render_text
from cleanroom.policy.demands import Capability

READY = Probe(
    ready=True,
    runtime="bubblewrap 0.12.0",
    capabilities=frozenset({Capability.LIMIT_PIDS, Capability.NETWORK_DEFAULT_DENY}),
    missing={"limit_memory": "no cgroup is delegated; run under systemd"},
    facts={"kernel": "6.18"},
)
BROKEN = Probe(
    ready=False, runtime="", capabilities=frozenset(), missing={"bubblewrap": "is missing"}
)
IP = HostItem("ip", present=True, detail="/usr/sbin/ip")
KVM = HostItem("KVM", present=False, detail="there is no /dev/kvm")


def test_a_ready_backend_shows_what_it_proved_and_what_it_lacks() -> None:
    text = render_text(Report((("local", READY),), (IP, KVM)))
    assert "local: ready (bubblewrap 0.12.0)" in text
    assert "proved: limit_pids, network_default_deny" in text
    assert "lacks limit_memory: no cgroup is delegated; run under systemd" in text
    assert "  + ip           /usr/sbin/ip" in text
    assert "  - KVM          there is no /dev/kvm" in text
    assert "no runtime is ready" not in text


def test_no_ready_backend_is_said_in_the_last_line() -> None:
    report = Report((("local", BROKEN),), ())
    assert not report.ready
    assert render_text(report).splitlines()[-1] == "no runtime is ready on this machine"


def test_one_ready_backend_is_enough() -> None:
    assert Report((("local", BROKEN), ("other", READY)), ()).ready


def test_repairs_say_what_to_type_or_how_they_went() -> None:
    repairs = (
        Repair("install x", "sudo install x"),
        Repair("install y", "sudo install y", done=True),
        Repair("install z", "sudo install z", failure="no network"),
    )
    text = render_text(Report((("local", BROKEN),), (), repairs))
    assert "install x: sudo install x" in text
    assert "done: install y" in text
    assert "failed: install z: no network" in text


def test_the_json_form_is_versioned_and_holds_the_same() -> None:
    repair = Repair("install x", "sudo install x")
    document = json.loads(render_json(Report((("local", READY),), (KVM,), (repair,))))
    assert document == {
        "version": 1,
        "ready": True,
        "backends": [
            {
                "name": "local",
                "ready": True,
                "runtime": "bubblewrap 0.12.0",
                "capabilities": ["limit_pids", "network_default_deny"],
                "missing": {"limit_memory": "no cgroup is delegated; run under systemd"},
                "facts": {"kernel": "6.18"},
            }
        ],
        "firecracker": [{"name": "KVM", "present": False, "detail": "there is no /dev/kvm"}],
        "mirrors": [],
        "repairs": [
            {"title": "install x", "command": "sudo install x", "done": False, "failure": ""}
        ],
    }
