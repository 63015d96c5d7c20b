"""A relay in front of a store whose connections break when a test says so."""

import select
import socket
import struct
import threading

from harness import DEADLINE

RESET = struct.pack("ii", 1, 0)  # closed with data unsaid: the peer gets a reset


class Relay:
    """Takes connections on a port of its own and carries bytes to and from `port`; each connection is one thread."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.budgets = {}  # of each connection: bytes it may still carry; None: any number
        self.cuts = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self, after=0):
        """Breaks every connection that is there, each when it has carried `after` more bytes."""
        with self.lock:
            for connection in self.budgets:
                self.budgets[connection] = after

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # stopped
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def spend(self, client, size):
        """How many of these bytes may pass; fewer than asked: the connection breaks behind them."""
        with self.lock:
            left = self.budgets[client]
            if left is None:
                return size
            self.budgets[client] = max(left - size, 0)
            return min(left, size)

    def carry(self, client):
        server = None
        with self.lock:
            self.budgets[client] = None
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=DEADLINE)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                each.settimeout(None)
            broken = False
            while not broken:
                # Now and then without bytes, to see a cut of an idle connection.
                ready, _, _ = select.select([client, server], [], [], 0.05)
                if not ready and self.spend(client, 1) == 0:
                    broken = True
                for each in ready:
                    data = each.recv(65536)
                    if not data:
                        return
                    passing = self.spend(client, len(data))
                    (server if each is client else client).sendall(data[:passing])
                    broken = broken or passing < len(data)
            self.cuts += 1
            for each in (client, server):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except OSError:
            pass  # either side is gone; so is the other now
        finally:
            with self.lock:
                del self.budgets[client]
            client.close()
            if server:
                server.close()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
