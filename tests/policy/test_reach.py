from cleanroom.policy.compile import compile_nothing
from cleanroom.policy.reach import reach_of
from tests.policy.reading import compiled, network


def test_a_policy_says_what_it_reaches() -> None:
    policy = compiled(
        network("{host: '*.a.example', ports: [443]}", "{host: 192.0.2.0/24, ports: [22]}")
        + "registries: {npm: {enable: true, allowed_hosts: [r.example]},"
        " pypi: {enable: false, allowed_hosts: [p.example]}}\n"
        "secrets: [{id: gh, env: GH, allowed_hosts: [api.example]}]\n"
    )
    assert reach_of(policy).lines() == (
        "hosts: 192.0.2.0/24:22, *.a.example:443",
        "registries: npm (r.example)",
        "secrets: gh (GH) to api.example on port 443",
    )
    assert not reach_of(policy).is_nothing


def test_no_policy_reaches_nothing() -> None:
    assert reach_of(compile_nothing()).is_nothing
    assert reach_of(compile_nothing()).lines() == ()


def test_a_long_list_is_cut_and_counted() -> None:
    hosts = (f"{{host: h{number:02}.example, ports: [443]}}" for number in range(15))
    [line] = reach_of(compiled(network(*hosts))).lines()
    assert line.endswith("h11.example:443, and 3 more (cleanroom policy explain)")
