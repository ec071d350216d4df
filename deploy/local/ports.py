"""Ports of this machine: which one is free, and who holds one that is not."""

import random
import socket
from contextlib import closing

import psutil

DRAWN_FROM = range(12_000, 32_000)


class PortTakenError(Exception):
    """Another program listens on a port we need. The message says which, by whom, and which setting moves ours."""

    def __init__(self, port: int, wanted_by: str, setting: str) -> None:
        holder = holder_of(port)
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"port {port} (for {wanted_by}) is taken{by}; stop that program or set {setting} to a free port"
        )


def free_port() -> int:
    """A port that was free on 127.0.0.1 a moment ago.

    Drawn by chance from below the range that the system gives to outgoing connections: those come and go by the
    thousand while a stack starts, and would take it meanwhile.
    """
    for port in random.sample(DRAWN_FROM, 100):
        if is_free(port):
            return port
    raise OSError("no free port was found on 127.0.0.1")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
        return True


def holder_of(port: int) -> str | None:
    """Name and id of the program that listens on the port, when this user may know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return None
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                return f"process {connection.pid}"
    return None
