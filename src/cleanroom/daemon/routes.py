"""The table endpoint -> handler, and what every request goes through.

In: the table of the API. Out: an aiohttp application. Never: a route that is not in the table, an
error that is not a problem document, or a caller that was not judged.
"""

import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from cleanroom.api import codec
from cleanroom.api.endpoints import ENDPOINTS, Endpoint
from cleanroom.api.problem import MEDIA_TYPE, bug_problem, problem_of, problem_with
from cleanroom.api.types import PlacedError, Problem
from cleanroom.daemon.access import judge_peer, peer_uid
from cleanroom.daemon.activity import Activity
from cleanroom.daemon.call import Call, refuse_unknown_query
from cleanroom.daemon.handlers import (
    attach,
    audit,
    cache,
    changes,
    executions,
    files,
    health,
    output,
    policy,
    ports,
    runs,
    sandboxes,
    secrets,
    sync,
    volumes,
)
from cleanroom.daemon.host import Host
from cleanroom.errors import CleanroomError, Code, Fault
from cleanroom.policy.problems import FileErrors

_log = logging.getLogger(__name__)
_BEGUN: Final = web.RequestKey("begun", bool)  # set in a request whose answer has begun

Handler = Callable[[Call], Awaitable[web.StreamResponse]]

HANDLERS: Final[dict[str, Handler]] = {
    "health": health.show_health,
    "version": health.show_version,
    "openapi": health.show_openapi,
    "doctor": health.show_doctor,
    "config": health.show_config,
    "retire": health.retire,
    "name_lockfiles": policy.lockfiles,
    "validate_policy": policy.validate,
    "explain_policy": policy.explain,
    "check_policy": policy.check,
    "suggest_policy": policy.suggest,
    "init_policy": policy.init,
    "diff_policy": policy.diff,
    "approve_policy": policy.approve,
    "reload_policy": policy.reload,
    "pinned_artifacts": cache.artifacts,
    "policy_schema": policy.schema,
    "create_run": runs.create,
    "plan_run": runs.plan,
    "list_runs": runs.show_list,
    "get_run": runs.get,
    "get_changes": changes.get,
    "get_patch": changes.patch,
    "apply_changes": changes.apply,
    "create_sandbox": sandboxes.create,
    "list_sandboxes": sandboxes.show_list,
    "get_sandbox": sandboxes.get,
    "stop_sandbox": sandboxes.stop,
    "extend_sandbox": sandboxes.extend,
    "remove_sandbox": sandboxes.remove,
    "prune_sandboxes": sandboxes.prune,
    "sync_sandbox": sync.sync,
    "sandbox_events": sandboxes.events,
    "publish_port": ports.publish,
    "list_ports": ports.show_list,
    "close_port": ports.close,
    "list_files": files.show_list,
    "read_files": files.read,
    "write_files": files.write,
    "create_execution": executions.create,
    "list_executions": executions.show_list,
    "get_execution": executions.get,
    "cancel_execution": executions.cancel,
    "signal_execution": executions.send_signal,
    "execution_output": output.output,
    "execution_stdin": executions.stdin,
    "attach_execution": attach.attach,
    "show_cache": cache.info,
    "verify_cache": cache.verify,
    "prune_cache": cache.prune,
    "list_volumes": volumes.show_list,
    "remove_volumes": volumes.remove,
    "secret_needs": secrets.needs,
    "hand_over": secrets.hand_over,
    "read_audit": audit.read,
    "verify_audit": audit.verify,
}


def make_application(host: Host, activity: Activity) -> web.Application:
    """Return the application that serves every endpoint of the table."""
    application = web.Application(middlewares=[_problems])
    application.on_response_prepare.append(_begins)
    for endpoint in ENDPOINTS:
        serve = _serve(endpoint, HANDLERS[endpoint.name], host, activity)
        application.router.add_route(endpoint.method, endpoint.path, serve)
    return application


def _serve(
    endpoint: Endpoint, handler: Handler, host: Host, activity: Activity
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        with activity.busy():
            who = judge_peer(_uid_of(request), os.geteuid())
            refuse_unknown_query(request.query, endpoint)
            return await handler(Call(request, endpoint, host, who, activity))

    return serve


def _uid_of(request: web.Request) -> int:
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is None:
        message = "cannot tell who is connected"
        raise Fault(Code.INTERNAL, message)
    # asyncio wraps the socket; the options are asked of a duplicate.
    with socket.socket(fileno=os.dup(connection.fileno())) as own:
        return peer_uid(own)


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except CleanroomError as error:
        return problem_response(problem_of(error, errors=placed(error)))
    except ConnectionError:
        # The client went away before its answer began: nobody reads this one.
        return web.Response(status=400)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        detail = f"cannot serve this request: {error.reason}"
        response = problem_response(problem_with(error.status, Code.REQUEST_INVALID, detail))
        if isinstance(error, web.HTTPRequestEntityTooLarge | web.HTTPRequestTimeout):
            response.force_close()  # the rest of the body is not read
        return response
    except Exception:  # the server's own answer would be a page of text without a code
        if request.get(_BEGUN):
            raise  # it is cut, and a client takes that for no end
        _log.exception("a bug in %s %s", request.method, request.path)
        return problem_response(bug_problem("serve this request"))


async def _begins(request: web.Request, _: web.StreamResponse) -> None:
    request[_BEGUN] = True


def placed(error: CleanroomError) -> list[PlacedError]:
    """Return the placed faults of a file, if the error has any."""
    if not isinstance(error, FileErrors):
        return []
    return [
        PlacedError(
            path=each.path, line=each.line, column=each.column, message=each.message, hint=each.hint
        )
        for each in error.problems
    ]


def problem_response(problem: Problem) -> web.Response:
    """Return a problem document as the whole response."""
    body = codec.encode(problem)
    return web.Response(body=body, status=problem.status, content_type=MEDIA_TYPE)
