from cleanroom.errors import Code
from cleanroom.policy.compile import compile_nothing
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.suggest import MAX_RULES, Refusal, Suggestion, suggest_rules
from tests.policy.reading import compiled, network

NOTHING = compile_nothing()


def suggested(*refusals: Refusal, policy: CompiledPolicy = NOTHING) -> list[str]:
    return [rule.rule_id for rule in suggest_rules(refusals, policy).rules]


def notes(*refusals: Refusal, policy: CompiledPolicy = NOTHING) -> tuple[str, ...]:
    suggestion = suggest_rules(refusals, policy)
    assert suggestion.rules == ()
    return suggestion.notes


def test_one_rule_a_host_with_the_ports_that_were_asked_for() -> None:
    assert suggested(
        Refusal("b.example", 443),
        Refusal("A.example.", 8443),
        Refusal("a.example", 443),
        Refusal("a.example", 443),
        Refusal("a.example", 80, code=Code.PORT_NOT_ALLOWED),
    ) == ["a.example:80,443,8443", "b.example:443"]


def test_a_name_that_was_only_looked_up_gets_the_commonest_port() -> None:
    assert suggested(Refusal("a.example", 53, protocol="dns")) == ["a.example:443"]


def test_an_address_that_was_dialled_gets_an_address_rule() -> None:
    assert suggested(Refusal("", 5432, "192.0.2.1")) == ["192.0.2.1:5432"]


def test_what_no_rule_can_name_is_left_out() -> None:
    odd = (Refusal("a_b.example", 443), Refusal("", 443, ""), Refusal("a.example", 0))
    assert suggest_rules(odd, NOTHING) == Suggestion(())


def test_what_no_rule_would_lift_is_explained() -> None:
    assert notes(
        Refusal("a.example", 443, "10.0.0.1", code=Code.ADDRESS_NOT_ALLOWED),
        Refusal("b.example", 443, code=Code.ECH_NOT_ALLOWED),
        Refusal("", 123, "192.0.2.1", protocol="udp"),
        Refusal("", 123, "192.0.2.1", protocol="udp"),
    ) == (
        "a.example leads to a private address: only the operator can allow it, "
        "with gateway.private_hosts in config.yaml",
        "b.example hides its name (ECH): turn that off in the client, "
        "or write 'ech: allow' on its rule",
        "192.0.2.1: UDP other than DNS is never allowed",
    )


def test_what_the_file_allows_by_now_is_not_suggested_again() -> None:
    policy = compiled(network("{host: a.example, ports: [443]}"))
    assert suggested(Refusal("a.example", 443), policy=policy) == []
    assert suggested(Refusal("a.example", 80), policy=policy) == ["a.example:80"]
    below = compiled(network("{host: '*.example.net', ports: [443]}"))
    assert suggested(Refusal("a.example.net", 443), policy=below) == []
    assert suggested(Refusal("example.net", 443), policy=below) == ["example.net:443"]


def test_a_deny_rule_is_not_contradicted() -> None:
    policy = compiled(network("{host: ads.example, ports: [443]}", section="deny"))
    assert notes(Refusal("ads.example", 443), policy=policy) == (
        "ads.example is denied by line 5 of the policy",
    )
    assert suggested(Refusal("ads.example", 80), policy=policy) == ["ads.example:80"]


def test_a_flood_of_names_does_not_become_a_flood_of_rules() -> None:
    flood = [Refusal(f"data{n:03}.example", 443) for n in range(200)]
    suggestion = suggest_rules(flood, NOTHING)
    assert len(suggestion.rules) == MAX_RULES
    assert suggestion.notes == ("only the first 50 of 200 hosts are suggested",)
