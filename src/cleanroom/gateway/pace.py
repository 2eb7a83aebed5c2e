"""How fast an upstream's answer has to come: one that drips holds nothing for ever.

In: how much has come, and when. Out: why it is too slow. Never: a clock of its own.
"""

from typing import Final

WINDOW_S: Final = 300.0
LEAST_BYTES: Final = 64 * 1024  # in each window; git counts objects for minutes, and says little
LONGEST_S: Final = 4 * 3600.0  # of one answer: 300 kB/s for the largest there may be


class Pace:
    """Of one answer."""

    def __init__(self, now_s: float) -> None:
        self._began_s = self._since_s = now_s
        self._came = 0  # bytes, in this window

    def resume(self, now_s: float) -> None:
        """Begin a window anew: it was us who did not read."""
        self._since_s, self._came = now_s, 0

    def took(self, size: int, now_s: float) -> str:
        """Take note of what has come; return why no more is waited for, "" if it is."""
        self._came += size
        if now_s - self._began_s > LONGEST_S:
            return f"takes longer than {LONGEST_S / 3600:.0f} hours"
        if now_s - self._since_s < WINDOW_S:
            return ""
        if self._came < LEAST_BYTES:
            return f"sends less than {LEAST_BYTES} bytes in {WINDOW_S / 60:.0f} minutes"
        self.resume(now_s)
        return ""
