import pytest

from cleanroom.backends.namespaces.prober import judge

STATUS = "Name:\tcat\nPPid:\t1\nNoNewPrivs:\t1\nSeccomp:\t2\nCapEff:\t{0}\nCapBnd:\t{0}\n".format(
    "0" * 16
)
DEVICES = "Inter-|   Receive\n face |bytes\n    lo:       0       0    0\n"
CONTENT = "seen through the overlay"


def test_what_should_be_seen_is_right() -> None:
    assert judge(STATUS + DEVICES + CONTENT) == ""


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        ("Seccomp:\t2", "Seccomp:\t0", "Seccomp is 0, not 2"),
        ("PPid:\t1", "PPid:\t4711", "PPid is 4711, not 1"),
        ("NoNewPrivs:\t1\n", "", "NoNewPrivs is None, not 1"),
        ("CapEff:\t0000000000000000", "CapEff:\t0000000000000400", "CapEff is"),
        ("    lo:", "  eth0:  1\n    lo:", "network devices are ['eth0', 'lo']"),
        ("    lo:", "  dummy:", "not lo alone"),
        (CONTENT, "", "overlay shows nothing"),
    ],
)
def test_anything_else_is_not_trusted(before: str, after: str, wrong: str) -> None:
    assert wrong in judge((STATUS + DEVICES + CONTENT).replace(before, after))


def test_silence_is_not_trusted() -> None:
    assert judge("") != ""
