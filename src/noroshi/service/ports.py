"""Listening sockets, and the sentence for a port that is taken."""

from __future__ import annotations

import errno
import socket

from noroshi.errors import OperatorError

BACKLOG = 256


def listen_on(host: str, port: int, purpose: str, field: str) -> socket.socket:
    """A bound socket. Raises OperatorError when the address cannot be had, naming the field of `node.json`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _refusal(host, port, purpose, field, error) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.setblocking(False)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _refusal(host, port, purpose, field, error) from None
    return sock


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that nobody listens on just now; somebody may take one before it is used."""
    family = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0][0]
    held = [socket.socket(family, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for sock in held:
            sock.bind((host, 0))
        return [int(sock.getsockname()[1]) for sock in held]
    finally:
        for sock in held:
            sock.close()


def _refusal(host: str, port: int, purpose: str, field: str, error: OSError) -> OperatorError:
    taken = error.errno == errno.EADDRINUSE
    cause = "another program has the port" if taken else error.strerror or str(error)
    hint = (
        f"end that program, or choose another {field} in node.json"
        if taken
        else f"correct {field} in node.json"
    )
    return OperatorError(f"listen for {purpose}", subject=f"{host}:{port}", cause=cause, hint=hint)
