"""The table of every endpoint: daemon, client, OpenAPI document and tests read this one.

In: nothing. Out: ENDPOINTS. Never: a third-party import (the CLI's fast path reads it).
"""

from typing import Final, NamedTuple


class Endpoint(NamedTuple):
    """One operation. `request` and `response` name Structs of api/types.py ("" for no body).

    `stream` is "" (one JSON document), "ndjson" (one object a line, the last one terminal),
    or "websocket".
    """

    name: str
    method: str
    path: str
    request: str = ""
    response: str = ""
    status: int = 200
    stream: str = ""


ENDPOINTS: Final = (
    Endpoint("health", "GET", "/v1/health", "", "Health"),
    Endpoint("version", "GET", "/v1/version", "", "Version"),
    Endpoint("openapi", "GET", "/openapi.json"),
    Endpoint("doctor", "GET", "/v1/doctor", "", "DoctorReport"),
    # policy: the client sends texts; nothing below the API opens a repository file for policy
    Endpoint("validate_policy", "POST", "/v1/policy/validate", "PolicyRequest", "PolicyReport"),
    Endpoint("explain_policy", "POST", "/v1/policy/explain", "PolicyRequest", "PolicyExplanation"),
    Endpoint("check_policy", "POST", "/v1/policy/check", "PolicyCheckRequest", "PolicyCheck"),
    Endpoint("suggest_policy", "POST", "/v1/policy/suggest", "PolicySuggestRequest", "PolicySuggestion"),
    Endpoint("init_policy", "POST", "/v1/policy/init", "PolicyInitRequest", "PolicyInit"),
    Endpoint("policy_schema", "GET", "/v1/policy/schema"),
    # runs: one `exec` from request to result
    Endpoint("create_run", "POST", "/v1/runs", "RunRequest", "Run", 201),
    Endpoint("list_runs", "GET", "/v1/runs", "", "RunList"),
    Endpoint("get_run", "GET", "/v1/runs/{run_id}", "", "Run"),
    # sandboxes
    Endpoint("create_sandbox", "POST", "/v1/sandboxes", "SandboxRequest", "Sandbox", 201),
    Endpoint("list_sandboxes", "GET", "/v1/sandboxes", "", "SandboxList"),
    Endpoint("get_sandbox", "GET", "/v1/sandboxes/{sandbox_id}", "", "Sandbox"),
    Endpoint("stop_sandbox", "POST", "/v1/sandboxes/{sandbox_id}/stop", "", "Sandbox"),
    Endpoint("sandbox_events", "GET", "/v1/sandboxes/{sandbox_id}/events", stream="ndjson"),
    # executions
    Endpoint(
        "create_execution", "POST", "/v1/sandboxes/{sandbox_id}/executions",
        "ExecutionRequest", "Execution", 201,
    ),
    Endpoint("list_executions", "GET", "/v1/sandboxes/{sandbox_id}/executions", "", "ExecutionList"),
    Endpoint(
        "get_execution", "GET", "/v1/sandboxes/{sandbox_id}/executions/{execution_id}",
        "", "Execution",
    ),
    Endpoint(
        "cancel_execution", "POST",
        "/v1/sandboxes/{sandbox_id}/executions/{execution_id}/cancel", "", "Execution",
    ),
    Endpoint(
        "signal_execution", "POST",
        "/v1/sandboxes/{sandbox_id}/executions/{execution_id}/signal", "SignalRequest", "Execution",
    ),
    Endpoint(
        "execution_output", "GET",
        "/v1/sandboxes/{sandbox_id}/executions/{execution_id}/output", stream="ndjson",
    ),
    Endpoint(
        "execution_stdin", "POST",
        "/v1/sandboxes/{sandbox_id}/executions/{execution_id}/stdin", status=204,
    ),
    Endpoint(
        "attach_execution", "GET",
        "/v1/sandboxes/{sandbox_id}/executions/{execution_id}/attach", stream="websocket",
    ),
    # what a run changed; {run_id} names a run or, after `sandbox:`, a sandbox
    Endpoint("get_changes", "GET", "/v1/runs/{run_id}/changes", "", "ChangeSet"),
    Endpoint("get_patch", "GET", "/v1/runs/{run_id}/patch"),
    Endpoint("apply_changes", "POST", "/v1/runs/{run_id}/apply", "ApplyRequest", "ApplyReport"),
    # audit
    Endpoint("read_audit", "GET", "/v1/audit", stream="ndjson"),
    Endpoint("verify_audit", "GET", "/v1/audit/verify", "", "AuditVerification"),
)
