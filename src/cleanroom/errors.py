"""Every error raised on purpose: whose fault it is, its stable code, its exit status.

In: a sentence "cannot X", and a hint that names the next command. Out: one exception type a fault.
Never: text of a file that is not the user's own, or a secret.
"""

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Reason codes. Stable: CLI, API and audit use the same words, and none changes its meaning."""

    POLICY_INVALID = "policy_invalid"
    POLICY_CONFLICT = "policy_conflict"
    BACKEND_UNAVAILABLE = "backend_unavailable"
    BACKEND_CAPABILITY_MISMATCH = "backend_capability_mismatch"
    HOST_NOT_ALLOWED = "host_not_allowed"
    PORT_NOT_ALLOWED = "port_not_allowed"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    SNI_MISMATCH = "sni_mismatch"
    HOST_HEADER_MISMATCH = "host_header_mismatch"
    PROTOCOL_NOT_ALLOWED = "protocol_not_allowed"
    UPSTREAM_CERTIFICATE_INVALID = "upstream_certificate_invalid"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    HANDSHAKE_FAILED = "handshake_failed"
    REGISTRY_NOT_ALLOWED = "registry_not_allowed"
    PUSH_NOT_ALLOWED = "push_not_allowed"
    LOCKFILE_VIOLATION = "lockfile_violation"
    INTEGRITY_MISMATCH = "integrity_mismatch"
    SECRET_SCOPE_VIOLATION = "secret_scope_violation"  # noqa: S105 -- a code, not a password
    SECRET_UNAVAILABLE = "secret_unavailable"  # noqa: S105
    RESOURCE_LIMIT = "resource_limit"
    COOLDOWN_ACTIVE = "cooldown_active"
    MALWARE_LISTED = "malware_listed"
    OFFLINE_MISS = "offline_miss"
    APPROVAL_REQUIRED = "approval_required"
    ECH_NOT_ALLOWED = "ech_not_allowed"
    GATEWAY_LOST = "gateway_lost"
    RUNTIME_LAUNCH_FAILED = "runtime_launch_failed"
    BACKEND_TRANSPORT_ERROR = "backend_transport_error"
    OUTCOME_UNKNOWN = "outcome_unknown"
    SANDBOX_NOT_FOUND = "sandbox_not_found"
    EXECUTION_NOT_FOUND = "execution_not_found"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"
    REQUEST_INVALID = "request_invalid"
    CONFLICT = "conflict"
    INTERNAL = "internal"


class CleanroomError(Exception):
    """Base of every error raised on purpose.

    `message` begins with "cannot"; `hint` is the next command or edit, possibly empty.
    """

    exit_status: int = 125

    def __init__(self, code: Code, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message
        self.hint: Final = hint


class UserError(CleanroomError):
    """The caller's file, flag or request is wrong: they can fix it."""


class UsageError(UserError):
    """The command line itself is wrong."""

    exit_status = 2


class Refused(CleanroomError):
    """The policy or this host says no; nothing is broken."""


class Fault(CleanroomError):
    """The host, a runtime or an upstream failed."""
