"""What goes on under a narrower policy, looked at in parts."""

from itertools import pairwise

from cleanroom.decide.model import Allow, Deny
from cleanroom.decide.registries import Judged, judge_by
from cleanroom.gateway.narrowing import Narrowing, in_parts
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.wire import Target
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy
from tests.decide.policies import policy


def held(*names: str) -> Judged:
    pins = tuple(ArtifactPin(name, "1", digests=("sha512:00",)) for name in names)
    npm = RegistryPolicy("npm", enabled=True, allowed_hosts=("h.test",), artifact_allowlist=pins)
    return judge_by(CompiledPolicy("sha256:0", "", registries=(npm,)))


def test_what_is_judged_otherwise_does_not_go_on() -> None:
    old = judge_by(policy("a.test:443", "b.test:443", "c.test:443"))
    new = judge_by(policy("a.test:443", "c.test:443", deny=("198.51.100.0/24:443",)))
    same = Narrowing(old, old)
    assert same.judge(Target("a.test", "", 443, 1)) is None
    narrowing = Narrowing(old, new)
    assert isinstance(narrowing.judge(Target("b.test", "", 443, 1)), Deny)
    # Allowed yet, but where it leads is judged otherwise.
    assert isinstance(narrowing.judge(Target("a.test", "", 443, 1)), Allow)
    assert narrowing.judge(Target("", "192.0.2.1", 53, 1)) is None


def test_a_registry_goes_on_while_the_same_is_pinned() -> None:
    target = Target("h.test", "", 443, 1)
    assert Narrowing(held("a", "b"), held("a", "b")).judge(target) is None
    assert isinstance(Narrowing(held("a", "b"), held("a")).judge(target), Allow)


def test_in_each_turn_some_are_looked_at_and_the_end_is_told_once() -> None:
    reactor = Reactor()
    seen: list[int] = []
    ends: list[int] = []
    in_parts(reactor, range(100), seen.append, lambda: ends.append(len(seen)))
    counts = [len(seen)]
    while not ends:
        reactor.turn(0)
        counts.append(len(seen))
    assert seen == list(range(100))
    assert max(after - before for before, after in pairwise(counts)) <= 32
    assert (counts[0], ends) == (32, [100])
    reactor.turn(0)
    assert ends == [100]
    in_parts(reactor, (), seen.append, lambda: ends.append(0))
    assert ends == [100, 0]
    reactor.close()
