"""Runs that began before a reload, and what is kept to know them."""

from cleanroom.daemon.reloads import Reloads


def test_a_run_that_began_before_a_reload_is_of_now_under_that_policy_only() -> None:
    reloads = Reloads()
    began = reloads.count
    reloads.add("/a", "new")
    assert not reloads.is_current(began, "/a", "old")
    assert reloads.is_current(began, "/a", "new")
    assert reloads.is_current(began, "/b", "old")
    assert reloads.is_current(reloads.count, "/a", "old")


def test_what_is_kept_is_bounded_and_what_is_forgotten_is_refused() -> None:
    reloads = Reloads()
    began = reloads.count
    reloads.add("/a", "new")
    for number in range(1000):
        reloads.add(f"/w{number}", "other")
    assert not reloads.is_current(began, "/a", "new")
    assert not reloads.is_current(began, "/elsewhere", "new")
    assert reloads.is_current(began + 1, "/a", "old")
    assert reloads.is_current(began, "/w0", "other")
    reloads.add("/w0", "third")
    assert reloads.is_current(reloads.count, "/w1", "old")
    assert not reloads.is_current(began, "/w0", "other")
