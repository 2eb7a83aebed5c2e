"""docs/config.md, made of the table of keys.

In: nothing. Out: the page. Never: a key that the parser does not know.
"""

from typing import Final

from cleanroom.daemon.config import every_key, variable_of

_HEAD: Final = """\
# config.yaml: the operator's settings

`$XDG_CONFIG_HOME/cleanroom/config.yaml` (`~/.config/cleanroom/config.yaml`; root:
`/etc/cleanroom/config.yaml`) belongs to whoever runs the daemon, not to a repository. It is read
when the daemon starts, as strictly as a policy: an unknown key, a wrong type, an alias or a
duplicate stops the daemon with the file's name, line and column.

Strongest first: flags of a command, `CLEANROOM_…` variables of the daemon's environment, this
file, defaults. In a variable a list is separated by commas. `cleanroom config show --origin` says
every value in force and where it was said.

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
Every key is enforced. `gateway.private_hosts` is the one setting that widens what a policy can
reach, and a policy must still allow the name: no repository can name an exception for itself.
A file in `gateway.trust` may hold certificates only; they are trusted by the gateway and are part
of the bundle that programs inside a sandbox see.
"""


def render_markdown() -> str:
    """Return the page."""
    rows = [
        f"| `{name}` | {key.value.words} | {key.shown} | {key.meaning} | `{variable_of(name)}` |\n"
        for name, key in every_key()
    ]
    return _HEAD + "".join(rows) + _TAIL
