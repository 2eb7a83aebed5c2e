"""What every hostile program of the egress tests has at hand: its source goes in front of theirs.

In: hosts, ports, bytes. Out: what came back, or how it failed. Never: an import that a sandbox's
/usr/bin/python3 lacks.
"""

import socket
import sys


def connect(host: str, port: int, wait: float) -> socket.socket:
    """Connect to the first address only: a refusal must not send the client to the other family."""
    first = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
    return socket.create_connection((str(first[0]), port), wait)


def dial(host: str, port: int, *pieces: bytes, wait: float = 5.0) -> str:
    """Connect, send, return what came back first; or how it failed."""
    try:
        with connect(host, port, wait) as stream:
            for piece in pieces:
                stream.sendall(piece)
            return stream.recv(65536).decode("latin-1") or "closed"
    except OSError as error:
        return type(error).__name__


def talk(host: str, port: int, *pieces: bytes, wait: float = 5.0) -> str:
    """Connect, send, end, return everything that came back; or how it failed."""
    said = b""
    try:
        with connect(host, port, wait) as stream:
            for piece in pieces:
                stream.sendall(piece)
            stream.shutdown(socket.SHUT_WR)
            while data := stream.recv(65536):
                said += data
    except OSError as error:
        return said.decode("latin-1") or type(error).__name__
    return said.decode("latin-1")


def get(host: str, name: str = "", port: int = 80) -> str:
    """Fetch / over plain HTTP, return the status line; or how it failed."""
    head = f"GET / HTTP/1.1\r\nHost: {name or host}\r\n\r\n"
    return dial(host, port, head.encode()).partition("\r\n")[0]


def vector(size: int, data: bytes) -> bytes:
    """Return data behind its length."""
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    """Return a TLS extension."""
    return kind.to_bytes(2, "big") + vector(2, data)


def server_name(name: str, kind: bytes = b"\0") -> bytes:
    """Return one entry of a server name list (RFC 6066)."""
    return kind + vector(2, name.encode())


def hello(*names: str, more: bytes = b"", record: int = 16000) -> bytes:
    """Return a ClientHello (RFC 8446 4.1.2) with these server names, in records of this size."""
    named = extension(0, vector(2, b"".join(map(server_name, names)))) if names else b""
    body = b"\3\3" + bytes(32) + b"\0" + vector(2, b"\x13\1") + b"\1\0"
    message = b"\1" + vector(3, body + vector(2, named + more))
    cut = [message[at : at + record] for at in range(0, len(message), record)]
    return b"".join(b"\x16\3\1" + vector(2, piece) for piece in cut)


def query(name: bytes, kind: int = 1) -> bytes:
    """Return a DNS question; a name in its wire form begins with a length below 32."""
    labels = b"".join(vector(1, label) for label in name.split(b".")) + b"\0"
    return b"\1\2\1\0\0\1\0\0\0\0\0\0" + labels + kind.to_bytes(2, "big") + b"\0\1"


def ask(name: bytes, kind: int = 1, server: str = "198.18.0.1") -> "list[int]":
    """Ask over UDP; return response code and number of answers."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.settimeout(5)
        out.sendto(query(name, kind), (server, 53))
        answer = out.recv(4096)
    return [answer[3] & 15, answer[7]]


def ask_over_tcp(name: bytes, kind: int = 1, server: str = "198.18.0.1") -> "list[int]":
    """Ask over TCP; return response code and number of answers."""
    with socket.create_connection((server, 53), 5) as stream:
        stream.sendall(vector(2, query(name, kind)))
        answer = stream.recv(4096)
    return [answer[5] & 15, answer[9]]


def address_of(name: str, family: int = socket.AF_INET) -> str:
    """Return the address a name has in here."""
    return str(socket.getaddrinfo(name, 80, family)[0][4][0])


def await_word() -> None:
    """Say that we are ready, and wait for the test's word."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
