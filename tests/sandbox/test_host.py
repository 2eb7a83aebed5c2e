"""What was learned of host and client: nothing said is nothing assumed."""

from dataclasses import replace

from cleanroom.sandbox.host import ClientEnvironment, HostFacts, WorkspaceView, trusting


def test_a_silent_client_has_said_nothing() -> None:
    said = ClientEnvironment()
    assert not any((said.path, said.term, said.git_email, said.no_color, said.registries))


def test_a_host_shows_no_tools_unless_its_operator_names_them() -> None:
    assert HostFacts((), (), (), b"").tools == ()


def test_a_view_leaves_nothing_out_unless_it_says_so() -> None:
    assert WorkspaceView("/r", ()).left_out == ()


def test_a_sandbox_trusts_its_own_authority_beside_the_hosts_roots() -> None:
    host = HostFacts(system=(), links=(), etc=(), ca_bundle=b"roots\n")
    assert trusting(host, "") is host
    opened = trusting(host, "own\n")
    assert (opened.ca_bundle, opened.java_trust) == (b"roots\nown\n", b"")
    assert (host.authority, opened.authority) == (b"", b"own\n")
    assert trusting(replace(host, has_java=True), "own\n").java_trust
