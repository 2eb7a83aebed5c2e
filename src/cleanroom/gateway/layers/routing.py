"""Fields that lead a request elsewhere than Host says.

In: a request's head. Out: whether it has one. Never: a name read out of it.
"""

from typing import Final

from cleanroom.gateway.http1.heads import RequestHead

# Fields by which a front server may be talked into serving another host than Host names.
_ROUTING: Final = frozenset(
    {
        "forwarded", "x-forwarded-host", "x-forwarded-server", "x-host", "x-http-host-override",
        "x-original-host", "x-original-url", "x-rewrite-url",
    }
)  # fmt: skip


def names_second_host(request: RequestHead) -> bool:
    """Tell whether a field may talk a front server into another host than Host names."""
    # Servers of the CGI family read `x_forwarded_host` as the field that it looks like.
    return any(name.replace("_", "-") in _ROUTING for name, _ in request.fields)
