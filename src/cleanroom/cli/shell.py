"""What every command is given: the caller's environment, and ways to the screen and the daemon.

In: the environment and the flags all commands share. Out: a Screen, a Connection, a Workspace.
Never: a policy read here; the daemon does.
"""

import json
import os
import time
from collections.abc import Mapping

from cleanroom.cli.parser import Options, Parser
from cleanroom.cli.progress import Progress
from cleanroom.cli.render import Screen, plain
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.connect import Caller, connect
from cleanroom.client.endpoint import home_of, passwd_home
from cleanroom.client.reply import Reply
from cleanroom.client.workspace import Caller as Owner
from cleanroom.client.workspace import Workspace, find_workspace, names_lockfiles


class Shell:
    """One call of the command line."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.screen = Screen(environ)
        self.progress = Progress(self.screen, environ)
        self.uid = os.getuid()
        self._told: set[str] = set()

    @property
    def home(self) -> str:
        """The caller's home folder."""
        return home_of(self.environ, self.uid)

    def now_s(self) -> float:
        """The time, to say how long ago something was."""
        return time.time()  # noqa: TID251 -- the only clock of the command line

    def connect(self, options: Options) -> Connection:
        """Return a connection to the daemon that the flags mean."""
        autostart = not options.no_autostart
        say, waiting = self._say_once, self.progress
        return connect(Caller(options.host, autostart, self.environ, say, waiting))

    def _say_once(self, text: str) -> None:
        """Say it, however often one command connects."""
        if text not in self._told:
            self._told.add(text)
            self.screen.say(text)

    def workspace(self, folder: str | None) -> Workspace:
        """Return the workspace around `folder`, by default the current one."""
        homes = (self.environ.get("HOME", ""), passwd_home(self.uid))
        workspace = find_workspace(folder or ".", Owner(self.uid, homes))
        if workspace.ignored:
            self.screen.warn(
                f"cleanroom: {workspace.ignored} is not read: the policy is the one at the root,"
                f" {workspace.root}/cleanroom.yaml"
            )
        return workspace

    def policy(self, workspace: Workspace, options: Options) -> dict[str, object]:
        """Return PolicyText (api/policy_types.py) of this workspace, with its lock files."""
        fields: dict[str, object] = workspace.policy._asdict()
        if not names_lockfiles(workspace.policy.text):
            return fields
        from cleanroom.client.lockfiles import with_lockfiles  # noqa: PLC0415 -- 2 ms

        with self.connect(options) as connection:
            return with_lockfiles(connection, workspace.root, fields, self.uid)

    def fields(self, reply: Reply, *, as_json: bool) -> None:
        """Show every field of an answer, one a line, or as it is."""
        if as_json:
            self.screen.json(reply.fields)
            return
        width = max(map(len, reply.fields), default=0)
        for name, value in reply.fields.items():
            if value not in (None, {}, []):
                shown = value if isinstance(value, str) else json.dumps(value)
                self.screen.out(f"{name.ljust(width)}  {plain(shown)}")


def pages(connection: Connection, call: Call, name: str) -> list[Reply]:
    """Return the items of all pages of a list."""
    found: list[Reply] = []
    query = dict(call.query)
    while True:
        page = connection.call(Call(call.name, call.path, query))
        found += page.items(name)
        if "next" not in page:
            return found
        query["before"] = page.text("next")


def add_daemon_flags(parser: Parser) -> None:
    """Add the flags that say which daemon to ask."""
    parser.value("--host", "URL", "the daemon's address: unix:///PATH (CLEANROOM_HOST)")
    parser.switch("--no-autostart", "do not start a daemon (CLEANROOM_AUTOSTART=0)")
    parser.switch("-q --quiet", "say nothing but results and errors")
