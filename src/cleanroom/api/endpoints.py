"""The table of every endpoint: daemon, client, OpenAPI document and tests read this one.

In: nothing. Out: ENDPOINTS. Never: a third-party import (the CLI's fast path reads it).
"""

from typing import Final, NamedTuple


class Endpoint(NamedTuple):
    """One operation. `request` and `response` name Structs of the API ("" for no body).

    `stream` is "" (one JSON document), "ndjson" (one object a line, the last one terminal),
    "websocket", "text", "bytes" or "descriptors". `query` are the names of its query string.
    """

    name: str
    method: str
    path: str
    request: str = ""
    response: str = ""
    status: int = 200
    stream: str = ""
    query: tuple[str, ...] = ()


_RUN: Final = "/v1/runs/{run_id}"
_SANDBOX: Final = "/v1/sandboxes/{sandbox_id}"
_EXECUTION: Final = f"{_SANDBOX}/executions/{{execution_id}}"
_PAGE: Final = ("limit", "before")

_DAEMON: Final = (
    Endpoint("health", "GET", "/v1/health", "", "Health"),
    Endpoint("version", "GET", "/v1/version", "", "Version"),
    Endpoint("openapi", "GET", "/openapi.json"),
    Endpoint("doctor", "GET", "/v1/doctor", "", "DoctorReport"),
    Endpoint("config", "GET", "/v1/config", "", "ConfigReport"),
    # it ends, if a command started it and nothing goes on: the caller starts another one
    Endpoint("retire", "POST", "/v1/retire", "", "Health"),
)

# The client sends texts; nothing below the API opens a repository file for policy.
_POLICY: Final = (
    Endpoint("name_lockfiles", "POST", "/v1/policy/lockfiles", "PolicyRequest", "LockfileNames"),
    Endpoint("validate_policy", "POST", "/v1/policy/validate", "PolicyRequest", "PolicyReport"),
    Endpoint("explain_policy", "POST", "/v1/policy/explain", "PolicyRequest", "PolicyExplanation"),
    Endpoint("check_policy", "POST", "/v1/policy/check", "PolicyCheckRequest", "PolicyCheck"),
    Endpoint(
        "suggest_policy", "POST", "/v1/policy/suggest", "PolicySuggestRequest", "PolicySuggestion"
    ),
    Endpoint("diff_policy", "POST", "/v1/policy/diff", "PolicyDiffRequest", "PolicyDiff"),
    Endpoint("approve_policy", "POST", "/v1/policy/approve", "ApprovalRequest", "PolicyApproval"),
    Endpoint("reload_policy", "POST", "/v1/policy/reload", "PolicyReloadRequest", "PolicyReload"),
    Endpoint("init_policy", "POST", "/v1/policy/init", "PolicyInitRequest", "PolicyInit"),
    Endpoint(
        "pinned_artifacts", "POST", "/v1/policy/artifacts", "PolicyRequest", "PinnedArtifacts"
    ),
    Endpoint("policy_schema", "GET", "/v1/policy/schema"),
)

# One `exec` from request to result. {run_id} is an id, or `last`.
_RUNS: Final = (
    Endpoint("create_run", "POST", "/v1/runs", "RunRequest", "Run", 201),
    Endpoint("plan_run", "POST", "/v1/runs/plan", "RunRequest", "RunPlan"),
    Endpoint("list_runs", "GET", "/v1/runs", "", "RunList", query=("workspace", *_PAGE)),
    Endpoint("get_run", "GET", _RUN, "", "Run"),
    # what a run changed; {run_id} may also be `sandbox:` and a sandbox's id or name
    Endpoint("get_changes", "GET", f"{_RUN}/changes", "", "ChangeSet"),
    Endpoint("get_patch", "GET", f"{_RUN}/patch", stream="text"),
    Endpoint("apply_changes", "POST", f"{_RUN}/apply", "ApplyRequest", "ApplyReport"),
)

# {sandbox_id} is an id or a name.
_SANDBOXES: Final = (
    Endpoint("create_sandbox", "POST", "/v1/sandboxes", "SandboxRequest", "Sandbox", 201),
    Endpoint("list_sandboxes", "GET", "/v1/sandboxes", "", "SandboxList", query=("all", *_PAGE)),
    Endpoint("get_sandbox", "GET", _SANDBOX, "", "Sandbox"),
    Endpoint("stop_sandbox", "POST", f"{_SANDBOX}/stop", "", "Sandbox"),
    Endpoint("extend_sandbox", "POST", f"{_SANDBOX}/extend", "ExtendRequest", "Sandbox"),
    # with its changes, its executions and their output; what the audit log says of it stays
    Endpoint("remove_sandbox", "DELETE", _SANDBOX, "", "Sandbox", query=("force",)),
    Endpoint("prune_sandboxes", "POST", "/v1/sandboxes/prune", "PruneRequest", "PruneReport"),
    Endpoint("sync_sandbox", "POST", f"{_SANDBOX}/sync", stream="ndjson", query=("follow",)),
    Endpoint(
        "sandbox_events", "GET", f"{_SANDBOX}/events", stream="ndjson", query=("follow", "after")
    ),
)

# A port inside is reached on the loopback of the daemon's host.
_PORTS: Final = (
    Endpoint("publish_port", "POST", f"{_SANDBOX}/ports", "PortRequest", "Port", 201),
    Endpoint("list_ports", "GET", f"{_SANDBOX}/ports", "", "PortList"),
    Endpoint("close_port", "DELETE", f"{_SANDBOX}/ports", "", "Port", query=("port",)),
)

# Of a living sandbox. Binary messages are a tar archive; the server's last word is a text.
_FILES: Final = (
    Endpoint("list_files", "GET", f"{_SANDBOX}/files", "", "FileList", query=("path",)),
    Endpoint(
        "read_files", "GET", f"{_SANDBOX}/files/read", stream="websocket", query=("path", "folder")
    ),
    Endpoint("write_files", "GET", f"{_SANDBOX}/files/write", stream="websocket", query=("path",)),
)

_EXECUTIONS: Final = (
    Endpoint(
        "create_execution", "POST", f"{_SANDBOX}/executions", "ExecutionRequest", "Execution", 201
    ),
    Endpoint("list_executions", "GET", f"{_SANDBOX}/executions", "", "ExecutionList", query=_PAGE),
    Endpoint("get_execution", "GET", _EXECUTION, "", "Execution", query=("wait_s",)),
    Endpoint("cancel_execution", "POST", f"{_EXECUTION}/cancel", "", "Execution"),
    Endpoint("signal_execution", "POST", f"{_EXECUTION}/signal", "SignalRequest", "Execution"),
    Endpoint(
        "execution_output",
        "GET",
        f"{_EXECUTION}/output",
        stream="ndjson",
        query=("follow", "stdout_from", "stderr_from", "tail", "since"),
    ),
    Endpoint(
        "execution_stdin", "POST", f"{_EXECUTION}/stdin", status=204, stream="bytes", query=("eof",)
    ),
    Endpoint(
        "attach_execution", "GET", f"{_EXECUTION}/attach", stream="websocket", query=("from",)
    ),
)

_VOLUMES: Final = (
    Endpoint("show_cache", "GET", "/v1/cache", "", "CacheInfo"),
    Endpoint("verify_cache", "POST", "/v1/cache/verify", "", "CacheVerification"),
    Endpoint("prune_cache", "POST", "/v1/cache/prune", "CachePruning", "CachePruned"),
    Endpoint("list_volumes", "GET", "/v1/volumes", "", "VolumeList"),
    Endpoint("remove_volumes", "POST", "/v1/volumes/remove", "VolumeRemoval", "VolumeList"),
)

# Values are handed over as descriptors: `hand_over` answers 101, then daemon/handlers/secrets.py.
_SECRETS: Final = (
    Endpoint("secret_needs", "POST", "/v1/secrets/needs", "SecretNeedsRequest", "SecretNeeds"),
    Endpoint("hand_over", "GET", "/v1/secrets/hand-over", status=101, stream="descriptors"),
)

_AUDIT: Final = (
    Endpoint(
        "read_audit",
        "GET",
        "/v1/audit",
        stream="ndjson",
        query=("run_id", "sandbox_id", "denied", "since"),
    ),
    Endpoint("verify_audit", "GET", "/v1/audit/verify", "", "AuditVerification"),
)

ENDPOINTS: Final = (
    *(_DAEMON + _POLICY + _RUNS + _SANDBOXES + _PORTS + _FILES + _EXECUTIONS),
    *(_VOLUMES + _SECRETS + _AUDIT),
)
