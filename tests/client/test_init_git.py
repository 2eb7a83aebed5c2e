import json
from pathlib import Path

from cleanroom.client.init_git import repositories

COMMIT = "ab" * 20


def test_hosts_are_those_whose_commits_are_named(tmp_path: Path) -> None:
    packages = {
        "node_modules/a": {"resolved": f"git+ssh://git@code.example/team/a.git#{COMMIT}"},
        "node_modules/b": {"resolved": f"git+https://me:token@forge.example/b.git#{COMMIT}"},
        "node_modules/c": {"resolved": "git+https://branch.example/c.git#main"},
        "node_modules/d": {"resolved": "https://npm.example/d/-/d-1.0.0.tgz"},
    }
    lock = json.dumps({"lockfileVersion": 3, "packages": packages})
    (tmp_path / "package-lock.json").write_text(lock)
    (tmp_path / "core").mkdir()
    crate = f'[[package]]\nname = "d"\nsource = "git+https://code.example/d#{COMMIT}"\n'
    (tmp_path / "core" / "Cargo.lock").write_text(crate)
    (tmp_path / "pnpm-lock.yaml").write_text("git: [")
    (tmp_path / "uv.lock").write_bytes(b"git \xff")
    (tmp_path / "go.sum").write_text("")
    assert repositories(tmp_path) == {
        "package-lock.json": ["code.example", "forge.example"],
        "core/Cargo.lock": ["code.example"],
    }
