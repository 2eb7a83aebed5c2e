"""Ports of a sandbox: published on this host's loopback, listed, closed.

In: numbers. Out: Port records. Never: a port of an ended sandbox.
"""

from aiohttp import web

from cleanroom.api.port_types import PortList, PortRequest
from cleanroom.daemon import ports
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.handlers.sandboxes import find
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.errors import Code, UserError


async def publish(call: Call) -> web.StreamResponse:
    """Begin to listen."""
    request = await call.read(PortRequest)
    made = await ports.publish(call.host, await _living(call), request)
    return answer(made, 201)


async def show_list(call: Call) -> web.StreamResponse:
    """List those of a living sandbox."""
    sandbox = await _living(call)
    return answer(PortList(ports=[sandbox.ports[number] for number in sorted(sandbox.ports)]))


async def close(call: Call) -> web.StreamResponse:
    """End one."""
    sandbox = await _living(call)
    return answer(await ports.close(call.host, sandbox, call.number("port", 0, 65_535)))


async def _living(call: Call) -> LiveSandbox:
    live = call.live_sandbox()
    if live is None:
        stored = await find(call)
        message = f"cannot use ports of the sandbox: it is {stored.state}"
        raise UserError(Code.CONFLICT, message, "those that live: cleanroom ps")
    return live
