"""The OpenAPI 3.1 document, made of the table of endpoints and the Structs.

In: ENDPOINTS and every message. Out: the document as a dict, or as the committed text.
Never: a hand-written schema.
"""

import inspect
import json
import re
from typing import Any, Final

import msgspec

from cleanroom import __version__
from cleanroom.api import (
    cache_types,
    change_types,
    file_types,
    mount_types,
    policy_types,
    port_types,
    secret_types,
    streams,
    types,
)
from cleanroom.api.endpoints import ENDPOINTS, Endpoint
from cleanroom.api.message import Message
from cleanroom.api.problem import MEDIA_TYPE

Document = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_ATTACH: Final = (
    "WebSocket (RFC 6455). Binary messages of the server: one byte (1 standard output or the"
    " terminal, 2 standard error), then the bytes. Text messages of the server: NoteLine,"
    " DeniedLine, StdinLine, and ExitLine or ErrorLine as the last one. Binary messages of the"
    " client: standard input. Text messages of the client: AttachMessage. The first client owns a"
    " run that was not detached: if it goes away without `detach` the execution is canceled. Later"
    " ones get a PositionLine first, GapLines for what is no longer kept, and their going changes"
    " nothing; with `from=left` they begin where the last client that said `detach` had come."
)
_ARCHIVE: Final = (
    "WebSocket (RFC 6455). Binary messages are the bytes of a tar archive: of the server for"
    " `read`, of the client for `write`, which ends them with EofMessage. The last message of the"
    " server is an ExitLine or ErrorLine. What the server sends was made by a hostile program."
)
_HAND_OVER: Final = (
    "After this answer the connection carries no HTTP. The client sends one line, a JSON list of"
    " ids of secrets, with one descriptor for each by SCM_RIGHTS, all beside its first byte: memfds"
    " that are sealed against change. The server answers one line, {ticket} or a Problem. The"
    " ticket is what RunOptions.handover takes, and is void once the client closes the connection."
)
_QUERY: Final[dict[str, Document]] = {
    "all": {"type": "boolean"},
    "folder": {"type": "boolean"},
    "follow": {"type": "boolean"},
    "force": {"type": "boolean"},
    "denied": {"type": "boolean"},
    "eof": {"type": "boolean"},
    "from": {"enum": ["start", "left"]},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
    "after": {"type": "integer", "minimum": 0},
    "stdout_from": {"type": "integer", "minimum": 0},
    "stderr_from": {"type": "integer", "minimum": 0},
    "wait_s": {"type": "number", "minimum": 0, "maximum": 60},
    "since": {"type": "string", "format": "date-time"},
}


def messages() -> dict[str, type[Message]]:
    """Return every message by its name."""
    found: dict[str, type[Message]] = {}
    for module in (
        *(cache_types, change_types, file_types, mount_types, policy_types, port_types),
        *(secret_types, streams, types),
    ):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Message) and value is not Message:
                found[value.__name__] = value
    return found


def document(version: str) -> Document:
    """Return the whole document for this version of cleanroom."""
    kinds = messages()
    _, schemas = msgspec.json.schema_components(
        [kinds[name] for name in sorted(kinds)], ref_template=_REF
    )
    for schema in schemas.values():
        # Python 3.13 strips the indentation of docstrings, 3.11 does not.
        schema["description"] = inspect.cleandoc(schema["description"])
    schemas["StreamLine"] = _one_of(streams.StreamLine.__args__)
    schemas["AttachMessage"] = _one_of(streams.AttachMessage.__args__)
    paths: dict[str, Document] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cleanroom",
            "version": version,
            "description": "Run untrusted commands in sandboxes whose only way out is a gateway.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def render(version: str = __version__) -> str:
    """Return the document as the text that is committed and served."""
    return json.dumps(document(version), indent=1, sort_keys=True) + "\n"


def _one_of(kinds: tuple[type[Message], ...]) -> Document:
    names = [kind.__name__ for kind in kinds]
    return {
        "oneOf": [_ref(name) for name in names],
        "discriminator": {"propertyName": "type"},
    }


def _ref(name: str) -> Document:
    return {"$ref": _REF.format(name=name)}


def _operation(endpoint: Endpoint) -> Document:
    operation: Document = {
        "operationId": endpoint.name,
        "parameters": [_path_parameter(name) for name in _PARAMETER.findall(endpoint.path)]
        + [_query_parameter(name) for name in endpoint.query],
        "responses": {str(_status(endpoint)): _answer(endpoint), "default": _problem()},
    }
    body = _body(endpoint)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _status(endpoint: Endpoint) -> int:
    return 101 if endpoint.stream == "websocket" else endpoint.status


def _path_parameter(name: str) -> Document:
    schema = {"type": "string", "maxLength": 100}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(name: str) -> Document:
    return {"name": name, "in": "query", "schema": _QUERY.get(name, {"type": "string"})}


def _body(endpoint: Endpoint) -> Document | None:
    if endpoint.request:
        return {"application/json": {"schema": _ref(endpoint.request)}}
    if endpoint.stream == "bytes":
        return {"application/octet-stream": {}}
    return None


def _answer(endpoint: Endpoint) -> Document:
    if endpoint.stream == "websocket":
        return {"description": _ARCHIVE if endpoint.path.endswith(("read", "write")) else _ATTACH}
    if endpoint.stream == "descriptors":
        return {"description": _HAND_OVER}
    if endpoint.status == 204:
        return {"description": "done"}
    if endpoint.stream == "ndjson":
        content: Document = {"application/x-ndjson": {"schema": _ref("StreamLine")}}
    elif endpoint.stream == "text":
        content = {"text/plain": {"schema": {"type": "string"}}}
    else:
        schema = _ref(endpoint.response) if endpoint.response else {"type": "object"}
        content = {"application/json": {"schema": schema}}
    return {"description": endpoint.response or "the answer", "content": content}


def _problem() -> Document:
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {"description": "RFC 9457 problem with a stable code", "content": content}
