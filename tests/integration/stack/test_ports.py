"""Free ports, and who holds one."""

from __future__ import annotations

import os
import socket

from wheelyard.stack.ports import GRPC_OFFSET, free_ports, has_free_pair, holder_of, is_free
from wheelyard.stack.servers import Ports


def test_ports_are_distinct_and_free_with_their_pairs():
    ports = free_ports(6)
    assert len(set(ports)) == 6
    assert all(map(has_free_pair, ports))


def test_a_taken_port_is_not_free_and_its_holder_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        assert holder_of(port).startswith(f"process {os.getpid()} (")
    assert is_free(port)
    assert holder_of(port) == ""


def test_a_port_whose_grpc_pair_is_taken_is_not_a_free_pair():
    port = free_ports(1)[0]
    with socket.create_server(("127.0.0.1", port + GRPC_OFFSET)):
        assert is_free(port)
        assert not has_free_pair(port)


def test_ports_come_back_from_their_document():
    ports = Ports.draw()
    assert Ports(**ports.to_document()) == ports
