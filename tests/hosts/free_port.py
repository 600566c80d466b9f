"""A port of 127.0.0.1 for a server of a test, which binds it a moment later; as a program, prints it.

Not one of those that the system gives to connections: one of them could take it before the server does.
"""
import pathlib
import random
import socket

given = set()


def free_port() -> int:
    first, last = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    candidates = [port for port in range(10000, 1 << 16) if not first <= port <= last and port not in given]
    for port in random.SystemRandom().sample(candidates, len(candidates)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        given.add(port)
        return port
    raise OSError(f"no free port outside of {first} to {last}, which /proc/sys/net/ipv4/ip_local_port_range gives to connections")


if __name__ == "__main__":
    print(free_port())
