"""What a policy can ask of a host: what it must enforce, and how much a sandbox may take.

In: nothing. Out: closed value types. Never: an import beyond Python's own; backends try themselves
where there is nothing else.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Capability(StrEnum):
    """What a backend can be asked to enforce. Policies need them, backends prove them."""

    NETWORK_DEFAULT_DENY = "network_default_deny"
    NETWORK_HOST_PORT_FILTERING = "network_host_port_filtering"
    DNS_CONTROL_OR_EQUIVALENT = "dns_control_or_equivalent"
    POLICY_IMMUTABILITY = "policy_immutability"
    AUDIT_EVENT_EMISSION = "audit_event_emission"
    SECRET_ISOLATION = "secret_isolation"  # noqa: S105 -- a capability's name
    REGISTRY_ENFORCEMENT = "registry_enforcement"
    REGISTRY_GIT = "registry_git"
    NAMED_CACHE = "named_cache"
    TLS_INSPECTION = "tls_inspection"
    CUSTOM_IMAGE = "custom_image"
    MISE_BOOTSTRAP = "mise_bootstrap"
    ISOLATION_NAMESPACES = "isolation_namespaces"
    ISOLATION_GVISOR = "isolation_gvisor"
    ISOLATION_VM = "isolation_vm"
    LIMIT_MEMORY = "limit_memory"
    LIMIT_PIDS = "limit_pids"
    LIMIT_CPU = "limit_cpu"
    LIMIT_DISK = "limit_disk"
    LIMIT_OPEN_FILES = "limit_open_files"
    LIMIT_OUTPUT = "limit_output"


@dataclass(frozen=True, slots=True)
class Limits:
    """What `sandbox.resources` asks for. None: the backend's default, as far as it can limit it."""

    memory_bytes: int | None = None
    pids: int | None = None
    cpus: float | None = None
    disk_bytes: int | None = None
    open_files: int | None = None
    output_bytes: int | None = None


NO_LIMITS: Final = Limits()
