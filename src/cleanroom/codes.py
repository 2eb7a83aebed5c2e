"""The long form of every reason code, as `cleanroom explain CODE` and docs/codes.md print it.

In: a code of errors.py. Out: what it means, what usually causes it, what to do.
Never: a third-party import, or a way round the policy; the advice names the file its owner edits.
"""

from typing import Final, NamedTuple

from cleanroom.errors import Code


class Explanation(NamedTuple):
    """Three short paragraphs: `meaning` of the code, its usual `cause`, and what to do `next`."""

    meaning: str
    cause: str
    next: str


EXPLANATIONS: Final[dict[Code, Explanation]] = {
    Code.POLICY_INVALID: Explanation(
        "The policy file cannot be read as a policy. Nothing was started.",
        "A key is unknown or written twice, a value has the wrong type, or a host, port or address "
        "is not in the one form that is accepted. Each problem is listed with its line and column.",
        "Correct the lines named, then run: cleanroom policy validate",
    ),
    Code.POLICY_CONFLICT: Explanation(
        "The policy allows and denies exactly the same thing, so it has no meaning.",
        "The same host or address, on a shared port, is under both `allow` and `deny`.",
        "Remove one of the two rules named, then run: cleanroom policy validate",
    ),
    Code.BACKEND_UNAVAILABLE: Explanation(
        "The place that should run the sandbox is not ready on this machine.",
        "Bubblewrap is missing, user namespaces are restricted, the kernel lacks `nft_tproxy`, or "
        "the command runs in a container that forbids what a sandbox is made of; or the policy or "
        "flag names a backend that this version does not have.",
        "Run: cleanroom doctor. It names each missing thing and its repair.",
    ),
    Code.BACKEND_CAPABILITY_MISMATCH: Explanation(
        "The policy needs something that no ready backend has proved that it can enforce.",
        "Something such as `sandbox.image`, a cooldown for git or a limit is asked for, and the "
        "backend cannot hold it here. Cleanroom never runs a policy in a weaker form.",
        "Remove the section named, or run where the capability is proved: cleanroom doctor",
    ),
    Code.HOST_NOT_ALLOWED: Explanation(
        "A program in the sandbox asked for a host that no rule allows. No packet left.",
        "The host is not in `sandbox.network.allow`, or a `deny` rule names it. A wildcard "
        "`*.example.com` does not cover `example.com` itself.",
        "If the run needs this host, run: cleanroom policy suggest. Do not look for a way round.",
    ),
    Code.PORT_NOT_ALLOWED: Explanation(
        "The host is allowed, but not on this port.",
        "A rule without `ports` means 80 and 443 only.",
        "Add the port to the host's rule in cleanroom.yaml, or use an allowed port.",
    ),
    Code.ADDRESS_NOT_ALLOWED: Explanation(
        "The address is one that a sandbox may not reach.",
        "A literal address was dialled without a rule for it, or an allowed name resolved to a "
        "loopback, private, link-local, metadata or own address of this machine.",
        "For a literal of the Internet, add an IP or CIDR rule. For a host or address of your own "
        "network, the operator adds it under `gateway.private_hosts` in config.yaml; a repository "
        "cannot.",
    ),
    Code.SNI_MISMATCH: Explanation(
        "The TLS handshake names another server than the one that was looked up.",
        "The client sent no server name, an address as server name, or a different name: a proxy "
        "setting, domain fronting, or a connection that was reused for another host.",
        "Connect to the host by its own name. If both names are needed, allow both.",
    ),
    Code.HOST_HEADER_MISMATCH: Explanation(
        "An HTTP request's Host header names another server than the connection's.",
        "A hand-written Host header, a proxy-style request, or a kept-alive connection that was "
        "used for a second host.",
        "Send the request to the host that it names.",
    ),
    Code.PROTOCOL_NOT_ALLOWED: Explanation(
        "The bytes on this connection are not a protocol that may be spoken there.",
        "UDP other than DNS, ICMP, bytes on port 80 that are not plain HTTP, on port 443 that "
        "are not TLS, or an HTTP message that two readers could read in two ways.",
        "Use TLS or plain HTTP on those ports; other protocols work on ports that a rule names.",
    ),
    Code.UPSTREAM_CERTIFICATE_INVALID: Explanation(
        "The server's certificate could not be verified, so nothing was sent to it.",
        "It is expired, self-signed, for another name, or signed by an authority unknown here.",
        "The operator adds a company root under `gateway.trust` in config.yaml.",
    ),
    Code.UPSTREAM_UNREACHABLE: Explanation(
        "The policy allows the host, but it could not be reached from this machine.",
        "It does not resolve, refuses the connection, does not answer in time, or a registry sends "
        "too slowly; or this network needs a proxy.",
        "Try the host outside the sandbox. The operator sets `gateway.proxy` or "
        "`gateway.resolvers` in config.yaml.",
    ),
    Code.HANDSHAKE_FAILED: Explanation(
        "A client inside began a TLS handshake with the gateway and did not finish it; nobody was "
        "refused, and nothing was sent.",
        "It gave up, as clients do with connections that they no longer need; or it does not "
        "trust the sandbox's own certificates, or speaks no TLS that the gateway does.",
        "If a program failed by it: have it use /etc/ssl/certs/ca-certificates.crt.",
    ),
    Code.REGISTRY_NOT_ALLOWED: Explanation(
        "A registry was asked for something that the policy does not open: another host, or "
        "another service than reading packages.",
        "A lock file or client configuration points to another host than `allowed_hosts` (a lock "
        "file pins artifacts; it never adds a host), or a client publishes, searches or logs in.",
        "Add the host to the registry's `allowed_hosts`, or correct the lock file.",
    ),
    Code.PUSH_NOT_ALLOWED: Explanation(
        "A push to a git repository is one that no secret's `git.push` lets through. Nothing of it "
        "reached the repository, its other branches included.",
        "The branch matches none of `branches`, is a tag or another ref, would be deleted or moved "
        "to a commit that is not proven to follow the one that it is at, or the push has options.",
        "Push to a branch that `git.push.branches` names. Its owner widens that in cleanroom.yaml, "
        "or sets `force` or `delete` there.",
    ),
    Code.LOCKFILE_VIOLATION: Explanation(
        "The package or version is not in the repository's lock file.",
        "A dependency was added without updating the lock file, or a script fetches more than it "
        "declares.",
        "Update the lock file outside the sandbox and review its difference.",
    ),
    Code.INTEGRITY_MISMATCH: Explanation(
        "The bytes that arrived are not the bytes that the lock file pins. They were discarded.",
        "The artifact was changed after it was locked, or damaged on its way.",
        "Do not retry blindly: compare the artifact's digest with the lock file first.",
    ),
    Code.SECRET_SCOPE_VIOLATION: Explanation(
        "A secret's placeholder was sent somewhere that its binding does not name.",
        "A program sent the credential to another host, port or place in the request.",
        "Check what the program does. If the host is right, its owner adds it to `allowed_hosts`.",
    ),
    Code.SECRET_UNAVAILABLE: Explanation(
        "A secret that the policy binds has no value that can be used. Nothing was started; or, in "
        "a running sandbox, its time is over.",
        "Nothing says where the value is, the provider does not know it, or it is shorter than 8 "
        "bytes or holds a line end.",
        "Run: cleanroom secrets check. Say where it is by --secret ID=VARIABLE or in config.yaml; "
        "a value never belongs in cleanroom.yaml.",
    ),
    Code.RESOURCE_LIMIT: Explanation(
        "The sandbox reached a limit: memory, processes, disk, open files, output or connections.",
        "The workload needs more than `sandbox.resources` grants, or it runs away.",
        "See which limit with: cleanroom status. Raise it in cleanroom.yaml if it is justified.",
    ),
    Code.COOLDOWN_ACTIVE: Explanation(
        "The package version is younger than the policy's minimum age.",
        "It was published only recently; most malicious releases are found in their first days.",
        "Use an older version, wait until the age is reached, or write an exception that ends: "
        "`cleanroom policy suggest` shows it.",
    ),
    Code.MALWARE_LISTED: Explanation(
        "The package version is on the list of known malicious packages.",
        "The feed that this machine uses names it.",
        "Remove the dependency, and treat machines that installed it earlier as suspect.",
    ),
    Code.OFFLINE_MISS: Explanation(
        "The run is offline and the cache does not hold what was asked for.",
        "The artifact was never fetched on this machine, or has been pruned.",
        "Run once online, or fetch all that the lock files pin: `cleanroom cache warm`.",
    ),
    Code.APPROVAL_REQUIRED: Explanation(
        "The policy reaches more than was approved for this folder, the folder is another one, or "
        "a secret would go to a host that nobody approved for it here.",
        "Somebody changed cleanroom.yaml or a lock file: a rule, a package, a secret or a limit "
        "was added or loosened; or the folder was renamed or replaced by another of its name.",
        "Read the difference, and approve it if it is right: cleanroom policy approve",
    ),
    Code.ECH_NOT_ALLOWED: Explanation(
        "The TLS handshake hides its server name (Encrypted Client Hello), so it cannot be judged.",
        "A browser or client has ECH, or its imitation called GREASE, switched on.",
        "Switch it off in the client, or write `ech: allow` on the rule of that host.",
    ),
    Code.GATEWAY_LOST: Explanation(
        "The process that answers the sandbox's traffic ended, so the sandbox has no network.",
        "It was killed or failed. Network never stays open without it.",
        "Start the command again: a new sandbox gets a new gateway.",
    ),
    Code.RUNTIME_LAUNCH_FAILED: Explanation(
        "The sandbox could not be started. Nothing of it is left.",
        "A step of the launch failed: the message names the step and the system's own error.",
        "Run: cleanroom doctor",
    ),
    Code.BACKEND_TRANSPORT_ERROR: Explanation(
        "The connection to the sandbox's agent broke.",
        "The sandbox ended while it was being used: its time ran out, it was stopped, or killed.",
        "Look at how it ended: cleanroom sandboxes events ID",
    ),
    Code.OUTCOME_UNKNOWN: Explanation(
        "The run began, but nobody can say how it ended.",
        "The daemon was killed or the machine restarted while the command ran.",
        "Check what the command may have done, then run it again.",
    ),
    Code.SANDBOX_NOT_FOUND: Explanation(
        "There is no sandbox with this name or id.",
        "It ended and was forgotten, or the name is misspelt.",
        "Run: cleanroom sandboxes list",
    ),
    Code.EXECUTION_NOT_FOUND: Explanation(
        "There is no such execution in this sandbox.",
        "The id is misspelt, or belongs to another sandbox.",
        "Run: cleanroom executions list SANDBOX",
    ),
    Code.TIMED_OUT: Explanation(
        "The command did not end in the time it was given, so it was ended.",
        "`--timeout` or the sandbox's `ttl_minutes` ran out.",
        "Give it more time, or find what it waits for: often a host that was refused.",
    ),
    Code.CANCELED: Explanation(
        "Somebody ended the command before it was done.",
        "Ctrl-C, `cleanroom executions cancel`, a closed client, or the sandbox was stopped.",
        "Nothing needs repair.",
    ),
    Code.REQUEST_INVALID: Explanation(
        "The daemon could not accept the request.",
        "A field is missing, unknown, too large or of the wrong type.",
        "Compare it with the API document: GET /openapi.json",
    ),
    Code.CONFLICT: Explanation(
        "The request contradicts the present state.",
        "A name is taken, a sandbox is already stopping, or a file changed on the host since the "
        "sandbox started.",
        "Look at the present state, then repeat the request if it still makes sense.",
    ),
    Code.INTERNAL: Explanation(
        "Cleanroom failed in a way that it does not explain: this is a bug, or the machine is ill.",
        "A full disk and a database that cannot be written are the usual outside reasons.",
        "Look at the daemon's log (daemon.log beside its state, ~/.local/state/cleanroom or"
        " /var/lib/cleanroom), and report what you find with: cleanroom version --json",
    ),
}


def explain(code: Code) -> Explanation:
    """Return the long form; every code has one."""
    return EXPLANATIONS[code]


def render_markdown() -> str:
    """Return docs/codes.md, in the order of errors.py."""
    parts = [
        "# Reason codes\n\n"
        "The command, the API and the audit log use the same words, and none changes its meaning.\n"
        "`cleanroom explain CODE` prints the same text. This page is generated: `make docs`.\n"
    ]
    for code in Code:
        text = EXPLANATIONS[code]
        parts.append(
            f"\n## `{code}`\n\n{text.meaning}\n\n**Usual cause.** {text.cause}\n\n"
            f"**What to do.** {text.next}\n"
        )
    return "".join(parts)
