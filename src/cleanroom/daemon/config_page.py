"""docs/config.md, made of the table of keys.

In: nothing. Out: the page. Never: a key that the parser does not know.
"""

from typing import Final

from cleanroom.daemon.config import every_key, has_variable, variable_of
from cleanroom.policy.fields import Key

_HEAD: Final = """\
# config.yaml: the operator's settings

`$XDG_CONFIG_HOME/cleanroom/config.yaml` (`~/.config/cleanroom/config.yaml`; root:
`/etc/cleanroom/config.yaml`) belongs to whoever runs the daemon, not to a repository. It is read
when the daemon starts, as strictly as a policy: an unknown key, a wrong type, an alias or a
duplicate stops the daemon with the file's name, line and column. A daemon keeps what it has
read, for no sandbox changes its settings while it lives; a changed file is taken up so:

- A daemon that a command started, and in which no sandbox lives, is replaced by the next command.
- While sandboxes live there, each command says that the file was changed; once they have ended
  (`cleanroom stop --all`), the next command starts a daemon that reads it.
- `cleanroom serve` is yours: each command says that it began before the change. End it (Ctrl-C,
  `kill`, your service manager: its sandboxes end with it) and start it again.

The same holds for a file that `gateway.trust` names, and for a daemon of another version or
installation of cleanroom. `cleanroom version` says who started the daemon, when, and whether its
settings stand.

Strongest first: flags of a command, `CLEANROOM_…` variables of the daemon's environment, this
file, defaults. A daemon that a command starts by itself gets none of these variables: write the
file, or start `cleanroom serve` with them. In a variable a list is separated by commas.
`cleanroom config show --origin` says every value in force and where it was said.

A value under a dotted name is written nested:

```yaml
gateway:
  private_hosts: [registry.corp.example]
tools: [/home/someone/.nvm]
```

| Key | Type | Default | Meaning | Variable |
| --- | --- | --- | --- | --- |
"""
_TAIL: Final = """
Where a policy binds secrets (docs/secrets.md), `secrets` says where clients find the values. Each
has one provider, and perhaps the hosts that it may be sent to from any workspace; a value never
stands here:

```yaml
secrets:
  github: {env: GH_TOKEN, hosts: [api.forge.example]}
  npm: {file: /home/someone/.secrets/npm}
  model: {command: [pass, show, model]}
  index: {keyring: {service: index, username: someone}}
```

`mirrors` says where registries are asked instead of at their own hosts: policies and lock files
keep the public names. `auth` is a secret's id from `secrets` above: a bearer token, or with `user`
that user's password. `storage` is where its files lie, if it redirects to signed addresses of other
hosts. How it works: docs/registries.md.

```yaml
secrets:
  company: {file: /home/someone/.secrets/artifacts}
mirrors:
  npm.registry.example: {url: https://artifacts.corp.example/api/npm/npm, auth: company}
  index.example: {url: https://artifacts.corp.example/api/pypi/pypi, auth: company, user: robot}
```

`gateway.host_services` shows services of this host, such as a local model server or a database, to
sandboxes whose policy allows the name and port. Nothing else of the loopback is reached, and each
connection is judged and audited under that name:

```yaml
gateway:
  host_services:
    models.internal:11434: 127.0.0.1:11434
    db.internal:5432: "[::1]:5432"
```

Every key is enforced. `gateway.private_hosts`, `gateway.host_services` and `mirrors` are the
settings that widen what a policy can reach, and a policy must still allow the name: no repository
can name an exception for itself.
A file in `gateway.trust` may hold certificates only; they are trusted by the gateway and are part
of the bundle that programs inside a sandbox see.
"""


def render_markdown() -> str:
    """Return the page."""
    rows = [
        f"| `{name}` | {key.value.words} | {key.shown} | {key.meaning} | {_variable(name, key)} |\n"
        for name, key in every_key()
    ]
    return _HEAD + "".join(rows) + _TAIL


def _variable(name: str, key: Key[object]) -> str:
    return f"`{variable_of(name)}`" if has_variable(key) else "none"
