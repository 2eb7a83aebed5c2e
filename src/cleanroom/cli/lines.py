"""Lines for people: events, verdicts, audit records; how long ago.

In: one line of a stream. Out: one line of text. Never: a control character (the screen sees to it).
"""

from datetime import datetime

from cleanroom.cli.exec_output import outcome_of, target_text
from cleanroom.client.reply import Reply


def age(created: str, now_s: float) -> str:
    """Return how long ago an RFC 3339 time was, e.g. "3m"; the text itself if it is none."""
    try:
        then = datetime.fromisoformat(created)
    except ValueError:
        return created
    seconds = now_s - then.timestamp()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def event_text(line: Reply) -> str:
    """Return e.g. "2026-01-02T03:04:05Z sandbox.ready"."""
    if line.text("type") == "network":
        return f"{line.text('time')} {verdict_text(line)}"
    if line.text("type") == "event":
        detail = " ".join(f"{name}={value}" for name, value in line.table("detail").items())
        return f"{line.text('time')} {line.text('kind')} {detail}".rstrip()
    return line.text("text", "") or line.text("reason", line.text("type"))


def verdict_text(line: Reply) -> str:
    """Return e.g. "denied tls evil.test:443 host_not_allowed: no rule names evil.test:443"."""
    target = " ".join(filter(None, (target_text(line), line.text("artifact", ""))))
    protocol = line.text("protocol", "")
    if line.flag("allowed"):
        rule = line.text("rule", "")
        number = line.maybe_number("rule_line")
        place = f" (line {number})" if number else ""
        sent = line.maybe_number("bytes_out") or 0
        received = line.maybe_number("bytes_in") or 0
        carried = f" {sent} bytes out, {received} in" if sent or received else ""
        cache = line.text("cache", "")
        carried += f" (cache: {cache})" if cache else ""
        return f"allowed {protocol} {target} by {rule}{place}{carried}"
    reason = f"{line.text('code', '')}: {line.text('reason', '')}"
    return f"{outcome_of(line)} {protocol} {target} {reason}"


def record_text(record: Reply) -> str:
    """Return one audit record as a line; its fields are those of docs/audit.md."""
    who = " ".join(record.text(name, "-") or "-" for name in ("time", "run_id", "sandbox_id"))
    if record.text("kind", "network") == "network" and "protocol" in record:
        return f"{who} {verdict_text(record)}"
    detail = " ".join(f"{name}={value}" for name, value in record.table("detail").items())
    return f"{who} {record.text('kind', '')} {detail}".rstrip()
