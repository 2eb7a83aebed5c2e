"""A strict HTTP/1.1 codec: bytes to heads and bodies, and back (RFC 9110, RFC 9112).

What two readers could understand in two ways is refused, never repaired: then the bytes can be
passed on as they came, and whoever reads them next sees the same messages. `heads` reads heads and
says how the body is delimited, `bodies` follows a body, `write` makes a reply of our own.
"""
