"""A real browser without a window: what a page says after its script has run, and how it looks.

In: an address on this machine's loopback. Out: Page: its document, its picture.
Never: another host asked; a browser that outlives the call.
"""

import os
import shutil
import signal
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.people import Running

PATIENCE_S = 100
WIDTH, HEIGHT = 400, 300
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-breakpad", "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=10000",
)  # fmt: skip


def browse(folder: Path, *words: str) -> str:
    """Run the browser once with a fresh profile; return what it prints."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("this machine lacks chromium")
    profile = folder / "profile"
    with Running(
        [program, *FLAGS, f"--user-data-dir={profile}", *words],
        env={"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            end(process.pid)
    shutil.rmtree(profile, ignore_errors=True)
    return out


def end(group: int) -> None:
    """Kill what is left of a browser: it is several processes."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def document(folder: Path, address: str) -> str:
    """Return the page as its script left it."""
    return browse(folder, "--dump-dom", address)


def picture(folder: Path, address: str) -> list[bytes]:
    """Return the rows of the page's picture, three bytes a pixel."""
    file = folder / "picture.png"
    browse(folder, f"--screenshot={file}", address)
    return rows_of(file.read_bytes())


def rows_of(image: bytes) -> list[bytes]:
    """Return the rows of a PNG of 8-bit RGB without interlace, as the browser writes it."""
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed, width = 8, b"", 0
    while at < len(image):
        length, kind = struct.unpack(">I4s", image[at : at + 8])
        content = image[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, _, *form = struct.unpack(">IIBBBBB", content)
            assert form == [8, 2, 0, 0, 0], form
        packed += content if kind == b"IDAT" else b""
        at += length + 12
    flat, size = zlib.decompress(packed), width * 3 + 1
    rows = [bytes(size - 1)]
    for begin in range(0, len(flat), size):
        rows.append(unfiltered(flat[begin], flat[begin + 1 : begin + size], rows[-1]))
    return rows[1:]


def unfiltered(kind: int, filtered: bytes, above: bytes) -> bytes:
    """Return a row of a PNG as it was before one of its five filters."""
    row = bytearray(filtered)
    for place, value in enumerate(filtered):
        left = row[place - 3] if place >= 3 else 0
        corner = above[place - 3] if place >= 3 else 0
        up = above[place]
        guess = (0, left, up, (left + up) // 2, nearest(left, up, corner))[kind]
        row[place] = (value + guess) % 256
    return bytes(row)


def nearest(left: int, up: int, corner: int) -> int:
    """Return which of three is nearest to left + up - corner; the first of equals."""
    return min((left, up, corner), key=lambda one: abs(left + up - corner - one))
