"""Which files of a workspace are keys or credentials, by name and, where needed, by content.

In: a relative path, and the head of a file. Out: whether a sandbox may see it. Never: I/O.

Names are those that tools themselves use. A file that is a secret only sometimes (.npmrc, *.pem)
is judged by content, so that registries and public certificates stay visible.
"""

import re
from typing import Final

# Folders that hold what the workload can install again; nobody keeps a key there, and packages'
# own test keys must stay.
UNSEARCHED: Final = frozenset(
    {".git", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".nox", "site-packages"}
)

HEAD_BYTES: Final = 64 * 1024

_FOLDERS: Final = frozenset({".ssh", ".gnupg"})
_NAMES: Final = frozenset(
    {
        ".boto",
        ".databrickscfg",
        ".dockercfg",
        ".env",
        ".envrc",
        ".git-credentials",
        ".my.cnf",
        ".netrc",
        ".pgpass",
        ".pypirc",
        ".s3cfg",
        ".vault-token",
        "_netrc",
        "application_default_credentials.json",
        "credentials.tfrc.json",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "id_rsa",
        "service-account.json",
        "service_account.json",
    }
)
_SUFFIXES: Final = (".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk")
_PATHS: Final = (
    ".aws/credentials", ".cargo/credentials", ".cargo/credentials.toml",
    ".claude/.credentials.json", ".codex/auth.json", ".composer/auth.json", ".config/gh/hosts.yml",
    ".copilot/config.json", ".docker/config.json", ".gem/credentials", ".gemini/oauth_creds.json",
    ".kube/config", ".local/share/opencode/auth.json",
)  # fmt: skip
# `.env.local` is a secret, `.env.example` is documentation.
_EXAMPLES: Final = ("example", "sample", "template", "dist", "defaults", "schema")

_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY")
_AUTH: Final = re.compile(
    # a literal value: `${NPM_TOKEN}` names a variable that is not inside either
    rb"(?m)(?:_authToken|_auth|_password|npmAuthToken|npmAuthIdent)[\"']?\s*[=:]\s*[\"']?[^\s\"'$]"
)
_USERINFO: Final = re.compile(rb"://[^/\s@$]+@")
_BY_CONTENT: Final = {
    ".npmrc": (_AUTH, _USERINFO),
    ".yarnrc": (_AUTH, _USERINFO),
    ".yarnrc.yml": (_AUTH, _USERINFO),
    "bunfig.toml": (_USERINFO,),
    "pip.conf": (_USERINFO,),
    "pip.ini": (_USERINFO,),
}
_KEY_SUFFIXES: Final = (".pem", ".key")


def is_secret_folder(name: str) -> bool:
    """Whether a folder of this name is left out whole."""
    return name in _FOLDERS


def is_secret_file(path: str) -> bool:
    """Whether the name alone says that it is one."""
    name = path.rpartition("/")[2]
    if name in _NAMES or name.endswith(_SUFFIXES):
        return True
    if name.startswith(".env."):
        return not name.endswith(_EXAMPLES)
    return any(path == known or path.endswith(f"/{known}") for known in _PATHS)


def needs_look(path: str) -> bool:
    """Whether only its content says whether it is one."""
    name = path.rpartition("/")[2]
    return name in _BY_CONTENT or name.endswith(_KEY_SUFFIXES)


def looks_secret(path: str, head: bytes) -> bool:
    """Whether a file of that path with this beginning (HEAD_BYTES) holds a secret."""
    name = path.rpartition("/")[2]
    expressions = _BY_CONTENT.get(name, (_PRIVATE_KEY,))
    return any(expression.search(head) for expression in expressions)
