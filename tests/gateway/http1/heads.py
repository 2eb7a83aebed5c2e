"""Heads for tests, from their lines."""

from cleanroom.gateway.http1.heads import RequestHead, ResponseHead, parse_request, parse_response


def request(
    *lines: str, first: str = "POST /a HTTP/1.1", host: str = "Host: a.test"
) -> RequestHead:
    fields = [host, *lines] if host else [*lines]
    return parse_request("\r\n".join([first, *fields, "", ""]).encode("latin-1"))


def response(*lines: str, first: str = "HTTP/1.1 200 OK", method: str = "GET") -> ResponseHead:
    return parse_response("\r\n".join([first, *lines, "", ""]).encode("latin-1"), method)
