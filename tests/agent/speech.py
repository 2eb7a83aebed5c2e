"""Frames as text, the way agent/check.c writes them, and the vectors both sides read."""

from dataclasses import asdict
from pathlib import Path

from cleanroom.agent.frames import (
    AgentFrame,
    Credit,
    DaemonFrame,
    Exited,
    Failed,
    Hello,
    Output,
    Resize,
    Signal,
    Start,
    Stdin,
    StdinClose,
)

AGENT = Path(__file__).resolve().parents[2] / "agent"

DAEMON_FRAMES: tuple[DaemonFrame, ...] = (
    Start(1, ("echo", "hi"), ("A=b", "PATH=/bin"), "/"),
    Start(2, ("sh",), (), "/workspace/ä", tty=True, rows=50, columns=132),
    Start(4294967295, ("", ""), ("",), ""),
    Stdin(3, b"abc"),
    StdinClose(3),
    Signal(3, 15),
    Resize(3, 1, 65535),
    Credit(3, 1, 1048576),
)
AGENT_FRAMES: tuple[AgentFrame, ...] = (
    Hello(1),
    Output(1, 1, b"out"),
    Output(1, 2, b"\0\xff"),
    Credit(1, 0, 65536),
    Exited(1, 0),
    Exited(1, 255),
    Exited(1, None, 9),
    Failed(1, 4, 2),
)


def said(frame: DaemonFrame | AgentFrame) -> str:
    """One line of text for one frame."""
    names = {Hello: "hello", StdinClose: "stdin-close"}
    name = names.get(type(frame), type(frame).__name__.lower())
    facts = _facts(frame)
    if not isinstance(frame, Hello):
        facts = {"id": frame.execution, **facts}
    return " ".join([name, *(f"{key}={value}" for key, value in facts.items())])


def _facts(frame: DaemonFrame | AgentFrame) -> dict[str, object]:
    if isinstance(frame, Start):
        return {
            "tty": int(frame.tty),
            "rows": frame.rows,
            "columns": frame.columns,
            "cwd": frame.cwd,
            "argv": ",".join(frame.argv),
            "env": ",".join(frame.environment),
        }
    if isinstance(frame, Stdin):
        return {"bytes": len(frame.data)}
    if isinstance(frame, Output):
        return {"stream": frame.stream, "data": frame.data.hex()}
    facts = asdict(frame)
    facts.pop("execution", None)
    return facts


def vectors(name: str) -> list[tuple[bytes, str]]:
    """The lines of agent/vectors/NAME.txt: bytes, and what they say."""
    lines = (AGENT / "vectors" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines)
    return [(bytes.fromhex(code), text) for code, text in pairs]
