"""Python's HTTP libraries and the vendors' own SDKs, used as their pages say, with a placeholder.

They are installed from the host's own index, a hundred megabytes, so `make nightly` does it;
`requests` comes with every pip, and is in test_secrets.py.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import remove_tree
from tests.escape.echo_internet import AGENT_HOSTS, NAMES, ROOTS, EchoInternet
from tests.escape.egress_world import PUBLIC, World, policy
from tests.escape.worlds import new_world

pytestmark = [pytest.mark.escape, pytest.mark.nightly]

VALUE = "sk-0123456789abcdefghijABCDEFGHIJ0123456789abcdefgh"
PACKAGES = ("requests", "httpx", "aiohttp", "openai", "anthropic")
BOUND = policy("good.test:443", "api.openai.com:443", "api.anthropic.com:443") + (
    "secrets: [{id: key, env: TOKEN,"
    " allowed_hosts: [good.test, api.openai.com, api.anthropic.com]}]\n"
)
HEAD = """
import os, sys
sys.path.insert(0, "/site")
TOKEN = os.environ["TOKEN"]
BEARER = {"Authorization": "Bearer " + TOKEN}
"""
CLIENTS = {
    "requests": "import requests\nresult = requests.get('https://good.test/plain',"
    " headers=BEARER, timeout=60).text",
    "httpx": "import httpx\nresult = httpx.get('https://good.test/plain', headers=BEARER,"
    " timeout=60).text",
    "aiohttp": """
import aiohttp, asyncio, ssl
async def ask():
    async with aiohttp.ClientSession(headers=BEARER) as session:
        async with session.get('https://good.test/plain', ssl=ssl.create_default_context()) as got:
            return await got.text()
result = asyncio.run(ask())""",
    "openai": """
import openai
client = openai.OpenAI(api_key=TOKEN, max_retries=0, timeout=60)
said = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
result = said.choices[0].message.content""",
    "anthropic": """
import anthropic
client = anthropic.Anthropic(api_key=TOKEN, max_retries=0, timeout=60)
said = client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
result = said.content[0].text""",
}
_Process = subprocess.run


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """A folder with the libraries, for the Python that sandboxes see."""
    folder = Path(tempfile.mkdtemp(prefix="crs", dir="/tmp"))
    words = ("install", "--quiet", "--no-cache-dir", "--target", str(folder), *PACKAGES)
    _Process(["/usr/bin/python3", "-m", "pip", *words], check=True, timeout=600)
    folder.chmod(0o755)
    yield folder
    remove_tree(folder)


@pytest.fixture(scope="module")
def world(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One daemon whose operator has the value in a file."""
    assert programs.is_dir()
    file = tmp_path_factory.mktemp("value") / "value"
    file.write_text(VALUE + "\n")
    hosts = "good.test, api.openai.com, api.anthropic.com"
    secrets = f"secrets:\n  key: {{file: {file}, hosts: [{hosts}]}}\n"
    with new_world(secrets, EchoInternet, ROOTS.certificate) as made:
        yield made


@pytest.mark.parametrize("client", CLIENTS)
def test_a_library_with_a_placeholder_is_served_as_with_the_value(
    world: World, site: Path, client: str
) -> None:
    world.internet.forget()
    for name in (*NAMES, *AGENT_HOSTS):
        world.internet.zone[name] = [PUBLIC]
    said = world.run(BOUND, HEAD + CLIENTS[client], "--mount", f"{site}:/site:ro")
    received = b"".join(bytes(each.received) for each in world.reached())
    assert received.count(VALUE.encode()) == 1, said.result
    fields = (b"\r\nx-api-key: ", b"\r\nauthorization: bearer ")
    assert any(field + VALUE.lower().encode() in received.lower() for field in fields)
    expected = "hello from outside" if client in ("openai", "anthropic") else "Bearer sk-"
    assert expected in said.result
    assert VALUE not in json.dumps([said.result, said.audit]) + said.stderr
    assert not said.denials()
