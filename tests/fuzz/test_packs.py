"""Packs that are held to lock files, against git itself: all that it sends passes, and of what does
not come from it only what git reads as what was wanted, all of it, and nothing beside."""

import hashlib
from pathlib import Path
from random import Random
from typing import Final

import pytest

from cleanroom.decide.artifact import Grant, decide_request
from cleanroom.decide.objects import Asked
from cleanroom.decide.registries import judge_by
from cleanroom.decide.upload_pack import PACK, TALK, asked_of, decide_talk
from tests.decide.git_policies import HOST, held, pin
from tests.decide.packs import OFS, REF, entry, fault, number
from tests.decide.test_objects import ofs
from tests.decide.test_pack import came
from tests.decide.test_upload_pack import pkt
from tests.fuzz.repositories import Named, Repository, make, reached, read_by_git
from tests.seeds import NIGHTLY, chance

REPOSITORIES = 1_500 if NIGHTLY else 5
PACKS = 12
KINDS: Final = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}


# --- what git sends --------------------------------------------------------------------------


def ancestors(repository: Repository, names: list[str]) -> set[str]:
    found, todo = set[str](), [*names]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += repository.commits[name]
    return found


def question(random: Random, repository: Repository) -> tuple[Grant, list[str]]:
    """Return what a client asks, as it is sent, and what it wants."""
    commits = sorted(repository.commits)
    had = random.sample(commits, random.choice((0, 0, min(1, len(commits)), min(2, len(commits)))))
    there = ancestors(repository, had)
    missing = [each for each in (*commits, *repository.tags) if each not in there] or commits
    wanted = random.sample(missing, min(len(missing), random.randint(1, 3)))
    had = [] if set(wanted) <= there else had
    lines = [f"have {each}\n" for each in had]
    part = [f"deepen {random.randint(1, 3)}\n"] if not had and random.randrange(3) == 0 else []
    if part == ["deepen 1\n"] and repository.commits.keys() >= set(wanted):  # once more
        part += [f"shallow {each}\n" for each in wanted]
        lines = [f"have {each}\n" for each in random.sample(wanted, random.randint(0, 1))]
    able = ["ofs-delta", "thin-pack", "include-tag", "no-progress"]
    told = random.sample(able, random.randrange(5))
    if random.randrange(3):
        form = f"object-format={repository.form}"
        words = [f"{each}\n" for each in told]
        body = pkt(
            "command=fetch", form, 1, *words, *(f"want {each}\n" for each in wanted), *part,
            *lines, "done\n", 0,
        )  # fmt: skip
    else:
        told += ["side-band-64k", "shallow", f"object-format={repository.form}"]
        first, *more = (f"want {each}" for each in wanted)
        wants = [f"{first} {' '.join(told)}\n", *(f"{each}\n" for each in more)]
        body = pkt(*wants, *part, 0, *lines, "done\n")
    registries = judge_by(held(*(pin(each) for each in wanted))).registries
    path = "/team/lib.git/git-upload-pack"
    talk = decide_request(registries, HOST, "POST", path, "2027-01-15")
    assert isinstance(talk, Grant)
    grant = decide_talk(talk, body)
    assert isinstance(grant, Grant)
    return grant, wanted


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_all_that_git_sends_passes(tmp_path: Path) -> None:
    for seed in range(REPOSITORIES):
        random, folder = chance(seed), tmp_path / str(seed)
        folder.mkdir()
        repository = make(random, folder)
        for _ in range(PACKS):
            grant, wanted = question(random, repository)
            asked = asked_of(grant)
            assert asked is not None
            answer = repository.upload(grant.body, grant.protocol)
            found = came(answer, repository.form, asked)
            assert found == (TALK if asked.has_some else PACK), f"{seed} {wanted} {grant.body!r}"


# --- what others may send --------------------------------------------------------------------


def difference(random: Random, base: bytes, made: bytes) -> bytes:
    """Return a delta: what both begin with is copied, the rest is there as it is."""
    same, most = 0, min(len(base), len(made), random.choice((20, 300, 60_000)))
    while same < most and base[same] == made[same]:
        same += 1
    steps = b"\xb0" + same.to_bytes(2, "little") if same else b""
    for at in range(same, len(made), 127):
        piece = made[at : at + 127]
        steps += bytes([len(piece)]) + piece
    return number(len(base)) + number(len(made)) + steps


def written(random: Random, objects: list[tuple[str, str, bytes]], form: str) -> bytes:
    """Return a pack of objects, in any order, some as differences to others of their kind."""
    random.shuffle(objects)
    rank = [*range(len(objects))]
    random.shuffle(rank)  # a difference is to one of a lower rank, so they form no circle
    made, starts = bytearray(b"PACK\0\0\0\2" + len(objects).to_bytes(4, "big")), []
    for index, (_, kind, data) in enumerate(objects):
        starts.append(len(made))
        bases = [
            at
            for at, (_, other, there) in enumerate(objects)
            if other == kind and rank[at] < rank[index] and there and data
        ]
        if bases and random.randrange(3):
            base = random.choice(bases)
            delta = difference(random, objects[base][2], data)
            if base < index and random.randrange(2):
                made += entry(OFS, delta, ofs(starts[index] - starts[base]))
            else:
                made += entry(REF, delta, bytes.fromhex(objects[base][0]))
        else:
            made += entry(KINDS[kind], data)
    return bytes(made) + hashlib.new(form, made, usedforsecurity=False).digest()


def named(kind: str, data: bytes, form: str) -> Named:
    head = f"{kind} {len(data)}\0".encode()
    return hashlib.new(form, head + data, usedforsecurity=False).hexdigest(), kind, data


def changed(random: Random, objects: list[Named], others: list[Named], form: str) -> list[Named]:
    """Return other objects: less, more, or some that are nearly the same."""
    made = [*objects]
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        at = random.randrange(len(made))
        _, kind, data = made[at]
        match random.randrange(4):
            case 0 if len(made) > 1:
                del made[at]
            case 1 if others:
                made.append(random.choice(others))
            case 2:
                made.append(random.choice(objects))
            case _:
                place = random.randrange(len(data) + 1)
                more = random.choice((b"", b"\n", data[-20:], random.randbytes(1)))
                data = data[:place] + more + data[place + random.randrange(2) :]
                made[at] = named(kind, data, form)
    return made


def flipped(random: Random, pack: bytes, form: str) -> bytes:
    """Return a pack of which some bytes are others, and whose checksum is right."""
    size = hashlib.new(form, usedforsecurity=False).digest_size
    body = bytearray(pack[:-size])
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        at = random.randrange(8, len(body))
        body[at] ^= 1 << random.randrange(8)
    return bytes(body) + hashlib.new(form, body, usedforsecurity=False).digest()


class Case:
    """A pack that has some objects of a repository, and what it is to have."""

    def __init__(self, random: Random, repository: Repository, every: dict[str, Named]) -> None:
        form, tags = repository.form, repository.tags
        self.wanted = {random.choice(sorted(repository.commits))}
        self.wanted |= set(random.sample(tags, min(len(tags), random.randrange(2))))
        inside = reached(repository, self.wanted, set())
        commits = sorted(inside & repository.commits.keys())
        self.cut = set(random.sample(commits, min(len(commits), random.choice((0, 0, 1, 2)))))
        self.inside = reached(repository, self.wanted, self.cut)
        self.cut &= self.inside
        objects = [every[each] for each in sorted(self.inside)]
        others = [every[each] for each in sorted(every.keys() - self.inside)]
        chosen = changed(random, objects, others, form)
        right = written(random, chosen, form)
        self.pack = flipped(random, right, form)
        self.is_right = right == self.pack and sorted(chosen) == sorted(objects)
        wanted, cut = (frozenset(map(bytes.fromhex, each)) for each in (self.wanted, self.cut))
        asked = Asked(wanted, cut=cut)
        self.said = fault(self.pack, asked, form)


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_what_passes_is_what_git_reads_as_what_was_wanted(tmp_path: Path) -> None:
    passed = refused = 0
    for seed in range(REPOSITORIES):
        random, folder = chance(-1 - seed), tmp_path / str(seed)
        folder.mkdir()
        repository = make(random, folder)
        every = repository.objects()
        for count in range(PACKS):
            case = Case(random, repository, every)
            assert not case.said or not case.is_right, f"{seed} {count}: {case.said}"
            refused += bool(case.said)
            if case.said:
                continue
            passed += 1
            place = folder / f"read-{count}"
            place.mkdir()
            read = read_by_git(case.pack, repository.form, place)
            there = set(read.objects())
            assert there == case.inside == reached(read, case.wanted, case.cut), f"{seed} {count}"
    assert passed
    assert refused
