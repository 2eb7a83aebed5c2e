"""The daemon's log is one JSON object a line."""

import json
import logging
import sys

from cleanroom.daemon.logs import JsonFormatter


def test_a_record_is_one_line_whatever_it_says() -> None:
    record = logging.LogRecord("cleanroom", logging.ERROR, "f", 1, "a\n%s", ("b",), None)
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["message"]) == ("error", "a\nb")
    assert "traceback" not in line


def test_a_bug_keeps_its_traceback() -> None:
    text = ""
    try:
        int("x")
    except ValueError:
        record = logging.LogRecord("c", logging.ERROR, "f", 1, "m", (), sys.exc_info())
        text = JsonFormatter().format(record)
    assert "\n" not in text
    assert "ValueError" in json.loads(text)["traceback"]
