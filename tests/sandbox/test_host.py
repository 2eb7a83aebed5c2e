"""What was learned of host and client: nothing said is nothing assumed."""

from cleanroom.sandbox.host import ClientEnvironment, HostFacts, WorkspaceView


def test_a_silent_client_has_said_nothing() -> None:
    said = ClientEnvironment()
    assert not any((said.path, said.term, said.git_email, said.no_color, said.registries))


def test_a_host_shows_no_tools_unless_its_operator_names_them() -> None:
    assert HostFacts((), (), (), b"").tools == ()


def test_a_view_leaves_nothing_out_unless_it_says_so() -> None:
    assert WorkspaceView("/r", ()).left_out == ()
