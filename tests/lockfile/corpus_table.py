"""What stands in each lock file of the corpus, counted by hand and by its README.

In: nothing. Out: rows. Never: a number that the product was asked for.
"""

from pathlib import Path
from typing import Final, NamedTuple

CORPUS: Final = Path(__file__).parent / "corpus"

FORMATS: Final = {
    "npm": "package-lock.json",
    "yarn-v1": "yarn.lock",
    "yarn-berry": "yarn.lock",
    "pnpm": "pnpm-lock.yaml",
    "bun": "bun.lock",
    "requirements": "requirements.txt",
    "poetry": "poetry.lock",
    "uv": "uv.lock",
    "pylock": "pylock.toml",
    "pipfile": "Pipfile.lock",
    "pdm": "pdm.lock",
    "cargo": "Cargo.lock",
    "gosum": "go.sum",
}


class Row(NamedTuple):
    """A file that can be read. `refused`: would be fetched, has no pin; `local`: never fetched.

    `commits`: of the refused, those that registries.git holds to a whole commit.
    """

    file: str
    version: str
    pins: int
    refused: int = 0
    local: int = 0
    commits: int = 0

    @property
    def folder(self) -> str:
        return self.file.split("/")[0]

    @property
    def path(self) -> Path:
        return CORPUS / self.file


ROWS: Final = (
    Row("npm/osv-scalibr__alias.v1.json", "1", 3),
    Row("npm/osv-scalibr__bundled-dependencies.v3.json", "3", 1, local=2),
    Row("npm/osv-scalibr__commits.v1.json", "2", 2, 13, commits=13),
    Row("npm/osv-scalibr__nested-dependencies-dup.v1.json", "1", 73),
    Row("npm/osv-scalibr__npm-shrinkwrap-only.npm-shrinkwrap.json", "2", 2),
    Row("npm/osv-scalibr__type_order.package-lock.json", "3", 0, 4),
    Row("npm/osv-scalibr__v2.package-lock.json", "2", 8, local=2),
    Row("npm/syft__nested-package-lock-1.json", "1", 0, 9),
    Row("npm/trivy__package-lock_v3.json", "3", 33),
    Row("npm/trivy__package-lock_v3_with_workspace.json", "3", 4, local=4),
    Row("yarn-v1/osv-scalibr__commits.v1.lock", "1", 0, 18, commits=12),
    Row("yarn-v1/osv-scalibr__files.v1.lock", "1", 2, local=4),
    Row("yarn-v1/osv-scalibr__multiple-constraints.v1.lock", "1", 2),
    Row("yarn-v1/osv-scalibr__with-aliases.v1.lock", "1", 3),
    Row("yarn-v1/osv-scalibr__with-quotes.v1.lock", "1", 2),
    Row("yarn-v1/syft__yarn-v1-deps.yarn.lock", "1", 10, 1),
    Row("yarn-v1/trivy__yarn_happy.lock", "1", 18),
    Row("yarn-berry/osv-scalibr__commits.v2.lock", "5", 0, 7, commits=6),
    Row("yarn-berry/osv-scalibr__exclude-root.v2.lock", "8", 1, local=2),
    Row("yarn-berry/osv-scalibr__metadata-only.v2.lock", "5", 0),
    Row("yarn-berry/syft__yarn-berry.yarn.lock", "6", 8, local=1),
    Row("yarn-berry/trivy__yarn_v2_happy.lock", "4", 16, local=2),
    Row("pnpm/osv-scalibr__commits.v9.yaml", "9.0", 0, 2),
    Row("pnpm/osv-scalibr__commits.yaml", "5.3", 0, 5, commits=3),
    Row("pnpm/osv-scalibr__files.yaml", "5.4", 0, local=6),
    Row("pnpm/osv-scalibr__mixed-groups.v54.yaml", "5.4", 3),
    Row("pnpm/osv-scalibr__multiple-packages.yaml", "5.3", 14),
    Row("pnpm/osv-scalibr__peer-dependencies-advanced-v6.yaml", "6.0", 5),
    Row("pnpm/syft__pnpm-multi-doc.pnpm-lock.yaml", "9.0", 3),
    Row("pnpm/syft__pnpm-v5-peer-suffix.pnpm-lock.yaml", "5.4", 3),
    Row("pnpm/trivy__pnpm-lock_v9.yaml", "9.0", 17, 3, 2),
    Row("bun/osv-scalibr__commits.json5", "0", 11, 7, commits=1),
    Row("bun/osv-scalibr__files.json5", "0", 1, local=1),
    Row("bun/osv-scalibr__nested-dependencies-dup.json5", "0", 7),
    Row("bun/syft__bun-trailing-comma.bun.lock", "1", 3),
    Row("bun/syft__bun.bun.lock", "1", 10),
    Row("bun/trivy__bun_happy.lock", "1", 5, 1),
    Row("requirements/osv-scalibr__example.txt", "", 1, 9, 1),
    Row("requirements/osv-scalibr__loop.txt", "", 0),
    Row("requirements/osv-scalibr__multiline_and_comments.txt", "", 0, 2),
    Row("requirements/osv-scalibr__other-loop.txt", "", 0),
    Row("requirements/trivy__docs-build.requirements.txt", "", 39),
    Row("requirements/trivy__requirements_hash.txt", "", 2),
    Row("poetry/osv-scalibr__empty.lock", "1.1", 0),
    Row("poetry/osv-scalibr__multiple-packages.v2.lock", "2.1", 31),
    Row("poetry/osv-scalibr__one-package-with-metadata.lock", "1.1", 1),
    Row("poetry/osv-scalibr__source-git.lock", "1.1", 0, 1, commits=1),
    Row("poetry/syft__simple-deps.poetry.lock", "2.0", 98),  # 99 lines, one of them twice
    Row("poetry/trivy__poetry_flask.lock", "1.1", 0, 15),
    Row("uv/osv-scalibr__grouped-packages.lock", "1", 74, local=1),
    Row("uv/osv-scalibr__no-packages.lock", "1", 0),
    Row("uv/osv-scalibr__source-git.lock", "1", 0, 1, 1, commits=1),
    Row("uv/syft__simple-deps.uv.lock", "1", 49, local=1),
    Row("uv/trivy__uv_without_root.lock", "1", 2),
    Row("pylock/osv-scalibr__example.toml", "1.0", 4),
    Row("pylock/osv-scalibr__pip-full.toml", "1.0", 5),
    Row("pylock/osv-scalibr__pip-just-self.toml", "1.0", 0, local=1),
    Row("pylock/trivy__happy.pylock.toml", "1.0", 11, local=1),
    Row("pylock/trivy__pylock.toml", "1.0", 8, 2),
    Row("pipfile/osv-scalibr__empty.json", "6", 0),
    Row("pipfile/osv-scalibr__multiple-packages.json", "6", 4, 1),
    Row("pipfile/trivy__Pipfile_normal.lock", "6", 6),
    Row("pipfile/trivy__trivy-ci-test.Pipfile.lock", "6", 91, 1, commits=1),
    Row("pdm/osv-scalibr__empty.toml", "4.4.1", 0),
    Row("pdm/osv-scalibr__single-package.toml", "4.4.1", 2),
    Row("pdm/syft__pdm-lock-extras.pdm.lock", "4.4.1", 12),
    Row(
        "pdm/syft__pdm-lock-separate-files.pdm.lock", "4.0", 396
    ),  # 394, two of them for an extra too
    Row("pdm/syft__pypi-remote.pdm.lock", "", 2),
    Row("cargo/osv-scalibr__package-with-comments.lock", "3", 0, 2, commits=1),
    Row("cargo/osv-scalibr__two-packages-with-local.lock", "3", 1, local=1),
    Row("cargo/syft__Cargo.lock", "2", 14),
    Row("cargo/trivy__cargo.Cargo.lock", "4", 9, local=1),
    Row("cargo/trivy__cargo_normal.lock", "1", 1, 6, 1),
    Row("cargo/trivy__cargo_v3.lock", "3", 8, local=1),
    Row("gosum/osv-scalibr__go.sum", "", 703),
    Row("gosum/osv-scalibr__indirect-1.16.sum", "", 15),
    Row("gosum/syft__go-sum-hashes.go.sum", "", 18),
    Row("gosum/syft__one-package.go.sum", "", 1),
    Row("gosum/trivy__submod2.go.sum", "", 14),
)

# Files that their own tools cannot read either, and the line where they break.
BROKEN: Final = {
    "npm/syft__corrupt.package-lock.json": 3,
    "yarn-v1/trivy__unsupported_protocol.yarn.lock": 1,
    "pnpm/syft__corrupt.pnpm-lock.yaml": 4,
    "requirements/osv-scalibr__invalid.txt": 1,
    "requirements/trivy__requirements_comments.txt": 6,
    "pylock/trivy__sad.toml": 1,
    "cargo/trivy__cargo_invalid.lock": 10,
    "gosum/osv-scalibr__indirect-1.23.sum": 1,
}


def text_of(path: Path) -> str:
    """Return a file's text, byte order mark included."""
    return path.read_bytes().decode()
