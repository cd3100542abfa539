#!/usr/bin/env python3
"""Three full echo servers behind HAProxy, with the configuration beside this file: who is served when one of them ends,
hangs, is drained, comes back.

The ports are free ones: HAProxy gets a listening socket from here, and each server takes the port that it had when it is
started again. The name of a test is a sentence for the book; CMake reads them here, too.
"""

import contextlib
import csv
import os
import pathlib
import queue
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BIN = pathlib.Path(os.environ.get("HAPROXY_TEST_BIN") or ROOT / "build/wine/bin")
HAPROXY = os.environ.get("HAPROXY") or shutil.which("haproxy") or "/usr/sbin/haproxy"
NAMES = ("one", "two", "three")
PATIENCE = 60  # seconds for anything to happen, on a busy machine
STUCK = 0.5  # seconds without a byte taken: nothing more goes in


def wait_until(condition, otherwise):
    """What the condition says, as soon as it is true; `otherwise` is called for the words."""
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > until:
            raise AssertionError(otherwise())
        time.sleep(0.02)
    return found


class Lines:
    """What a program writes, line by line."""

    def __init__(self, stream):
        self._lines = queue.Queue()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream):
        with stream:
            for line in stream:
                self._lines.put(line.rstrip("\r\n"))
        self._lines.put(None)

    def next(self):
        """The next one; none when there will be no more."""
        try:
            return self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError("a program writes nothing more and does not end") from None

    def rest(self):
        return list(iter(self.next, None))


class EchoServer:
    """Chapter 17's program. Started again, it has the port that it had before."""

    def __init__(self):
        self.port = 0
        self._process = None

    def start(self, *options):
        words = [ROOT / "cmake/wine", BIN / "17_echo_server.exe", f"--port={self.port}", *options]
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                         text=True)
        self.output, self.errors = Lines(self._process.stdout), Lines(self._process.stderr)
        line = self.output.next()
        found = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)", line or "")
        if not found:
            raise AssertionError(f"the server's first line is {line}, and then {self.errors.rest()}")
        self.port = int(found[1])

    def send(self, which):
        self._process.send_signal(which)

    def press_ctrl_c(self):
        self.send(signal.SIGINT)

    def end(self):
        """Waits for it: its status, the lines that it has written since, and those on stderr."""
        output, errors = self.output.rest(), self.errors.rest()
        return self._process.wait(PATIENCE), output, errors

    def accepts(self):
        """Does somebody who connects without the proxy get a connection?"""
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), PATIENCE):
            return True
        return False

    def clean_up(self):
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Proxy:
    """HAProxy, and its socket for orders."""

    def __init__(self, ports):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="haproxy-"))
        self._admin = str(self._folder / "admin")
        with socket.create_server(("127.0.0.1", 0), backlog=100) as front:
            self.port = front.getsockname()[1]
            environment = dict(os.environ, ECHO_FRONT=f"fd@{front.fileno()}", ECHO_ADMIN=f"unix@{self._admin}")
            environment |= {f"ECHO_{name.upper()}": f"127.0.0.1:{port}" for name, port in ports.items()}
            with open(self._folder / "log", "wb") as log:
                self._process = subprocess.Popen([HAPROXY, "-db", "-f", HERE / "haproxy.cfg"], env=environment,
                                                 pass_fds=[front.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, lambda: f"HAProxy does not start: {self._log()}")

    def _answers(self):
        if self._process.poll() is not None:
            raise AssertionError(f"HAProxy has ended: {self._log()}")
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            return self.order("show info")

    def _log(self):
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def order(self, line):
        """Gives an order; the answer."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(PATIENCE)
            admin.connect(self._admin)
            admin.sendall(f"{line}\n".encode())
            answer = b""
            while piece := admin.recv(1 << 16):
                answer += piece
        return answer.decode()

    def tell(self, line):
        """An order that is carried out without a word."""
        answer = self.order(line).strip()
        if answer:
            raise AssertionError(f"{line}: {answer}")

    def about(self, name):
        """What HAProxy knows of a server: the columns of its statistics."""
        table = self.order("show stat echo 4 -1").removeprefix("# ")
        return next(row for row in csv.DictReader(table.splitlines()) if row["svname"] == name)

    def wait_for(self, name, status):
        wait_until(lambda: self.about(name)["status"] == status,
                   lambda: f"{name} is not {status} but {self.about(name)['status']}")

    def wait_for_check(self, name):
        wait_until(lambda: self.about(name)["check_status"] == "L7OK", lambda: f"{name}: {self.about(name)}")

    def server_of(self, client_port):
        """Which server has this client's connection."""
        for session in self.order("show sess").splitlines():
            if f" src=127.0.0.1:{client_port} " in session:
                return re.search(r" srv=(\S+) ", session)[1]
        return None

    def clean_up(self):
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder)


class Talker:
    """A client that sends a message, compares its echo, and begins anew, until it is told to stop or the connection ends."""

    def __init__(self, proxy, number):
        self._proxy, self._number = proxy, number
        self._socket = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)
        self.port = self._socket.getsockname()[1]
        self.echoes = 0
        self.ended = None  # how the connection has ended
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()
        self.wait_for_echoes(1)
        self.server = None if self.ended else proxy.server_of(self.port)

    def __repr__(self):
        return f"client {self._number} of {self.server}, {self.echoes} echoes, {self.ended or 'connected'}"

    def _talk(self):
        try:
            while not self._stop.is_set():
                message = f"{self._number}:{self.echoes};".encode() * 100
                self._socket.sendall(message)
                echo = bytearray()
                while len(echo) < len(message) and (piece := self._socket.recv(len(message) - len(echo))):
                    echo += piece
                if echo != message[:len(echo)]:
                    self.ended = "wrong bytes"
                elif len(echo) < len(message):
                    self.ended = "closed"
                if self.ended:
                    return
                self.echoes += 1
        except TimeoutError:
            self.ended = "no answer"
        except OSError as problem:
            self.ended = f"{type(problem).__name__}"

    def wait_for_echoes(self, more):
        """Until so many more have come, or the connection has ended."""
        enough = self.echoes + more
        wait_until(lambda: self.ended or self.echoes >= enough, lambda: f"{self}: no echo")

    def wait_for_end(self):
        wait_until(lambda: self.ended, lambda: f"{self}: its connection does not end")

    def fall_silent(self):
        """Stays connected, and says nothing more."""
        self._stop.set()
        self._thread.join(PATIENCE)

    def rest(self):
        """What still comes, up to the end of the stream."""
        return b"".join(iter(lambda: self._socket.recv(1 << 16), b""))

    def clean_up(self):
        self._stop.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._socket.close()


class behind_haproxy(unittest.TestCase):
    def setUp(self):
        self.servers = {name: EchoServer() for name in NAMES}
        for server in self.servers.values():
            self.addCleanup(server.clean_up)
            server.start()
        self.proxy = Proxy({name: server.port for name, server in self.servers.items()})
        self.addCleanup(self.proxy.clean_up)
        self.count = 0
        for name in NAMES:
            self.proxy.wait_for_check(name)

    # --- what the cases are made of ---

    def clients(self, number):
        """So many more, one after the other, each with its first echo."""
        result = []
        for _ in range(number):
            self.count += 1
            one = Talker(self.proxy, self.count)
            self.addCleanup(one.clean_up)
            result.append(one)
        return result

    def restart(self, name, *options):
        """Ends it and starts it with other options, before HAProxy has missed it."""
        self.servers[name].press_ctrl_c()
        self.servers[name].end()
        self.servers[name].start(*options)

    def crowd(self):
        """Four clients on each server, all talking: those of two, and the others."""
        everybody = self.clients(12)
        self.assertEqual(self.shares(everybody), {"one": 4, "two": 4, "three": 4}, everybody)
        return [one for one in everybody if one.server == "two"], [one for one in everybody if one.server != "two"]

    @staticmethod
    def shares(clients):
        found = [one.server for one in clients]
        return {name: found.count(name) for name in found}

    def go_on(self, clients):
        for one in clients:
            one.wait_for_echoes(20)
            self.assertIsNone(one.ended, one)

    def have_ended(self, clients):
        """Their connections, and no byte was wrong."""
        for one in clients:
            one.wait_for_end()
            self.assertIn(one.ended, ("closed", "ConnectionResetError", "BrokenPipeError"), one)

    def nobody_new_on_two(self):
        fresh = self.clients(6)
        self.assertEqual(self.shares(fresh), {"one": 3, "three": 3}, fresh)
        self.go_on(fresh)

    def two_takes_part_again(self):
        """It has nobody, and so it is the one with the fewest: the next clients come to it."""
        fresh = self.clients(4)
        self.assertEqual(self.shares(fresh), {"two": 4}, fresh)
        self.go_on(fresh)

    # --- the cases ---

    def test_all_servers_take_part(self):
        of_two, others = self.crowd()
        self.go_on(of_two + others)

    def test_a_server_is_stopped_under_load_and_only_its_own_connections_end(self):
        of_two, others = self.crowd()
        self.servers["two"].press_ctrl_c()
        self.assertEqual(self.servers["two"].end()[0], 0)
        self.have_ended(of_two)
        self.go_on(others)
        self.proxy.wait_for("two", "DOWN")
        self.nobody_new_on_two()
        self.go_on(others)

    def test_new_connections_go_to_the_others_before_a_check_has_noticed(self):
        self.proxy.tell("disable health echo/two")
        self.servers["two"].press_ctrl_c()
        self.assertEqual(self.servers["two"].end()[0], 0)
        fresh = self.clients(6)
        self.assertEqual(self.shares(fresh), {"one": 3, "three": 3}, fresh)
        about = self.proxy.about("two")
        self.assertEqual(about["status"], "no check")
        self.assertGreater(int(about["wredis"]), 0, "connections that were refused and went elsewhere")

    def test_a_stopped_server_is_started_again_and_takes_part(self):
        self.servers["two"].press_ctrl_c()
        self.servers["two"].end()
        self.proxy.wait_for("two", "DOWN")
        others = self.clients(4)
        self.servers["two"].start()
        self.proxy.wait_for("two", "UP")
        self.assertEqual(self.shares(self.clients(2)), {"two": 2})
        self.go_on(others)

    def test_a_server_that_hangs_is_found_although_its_port_still_accepts(self):
        of_two, others = self.crowd()
        self.servers["two"].send(signal.SIGSTOP)
        self.addCleanup(self.servers["two"].send, signal.SIGCONT)
        self.proxy.wait_for("two", "DOWN")
        self.assertTrue(self.servers["two"].accepts(), "the system accepts for a program that does nothing")
        self.have_ended(of_two)
        self.go_on(others)
        self.nobody_new_on_two()
        self.servers["two"].send(signal.SIGCONT)
        self.proxy.wait_for("two", "UP")
        self.two_takes_part_again()

    def test_a_drained_server_gets_nobody_new_and_keeps_whom_it_has(self):
        of_two, others = self.crowd()
        self.proxy.tell("set server echo/two state drain")
        self.proxy.wait_for("two", "DRAIN")
        self.nobody_new_on_two()
        self.go_on(of_two + others)

    def test_a_drained_server_ends_and_nothing_is_lost(self):
        of_two, others = self.crowd()
        self.proxy.tell("set server echo/two state drain")
        self.proxy.wait_for("two", "DRAIN")
        for one in of_two:
            one.fall_silent()
        self.servers["two"].press_ctrl_c()
        for one in of_two:
            self.assertEqual((one.ended, one.rest()), (None, b""), one)
        status, output, errors = self.servers["two"].end()
        self.assertEqual((status, output[-1], errors), (0, "end: 0 reset, 0 in flight", []), output)
        self.go_on(others)
        self.proxy.wait_for("two", "DOWN")
        self.servers["two"].start()
        self.proxy.tell("set server echo/two state ready")
        self.proxy.wait_for("two", "UP")
        self.two_takes_part_again()

    def test_a_stopped_server_may_finish_although_a_check_has_failed(self):
        with socket.create_connection(("127.0.0.1", self.proxy.port), PATIENCE) as client:
            client.sendall(b"!")
            self.assertEqual(client.recv(1), b"!")
            name = self.proxy.server_of(client.getsockname()[1])
            sent = self.fill(client)
            self.servers[name].press_ctrl_c()
            wait_until(lambda: int(self.proxy.about(name)["chkfail"]) > 0, lambda: f"{name}: no check has failed")
            echo = b"".join(iter(lambda: client.recv(1 << 16), b""))
            self.assertEqual(len(echo), len(sent))
            self.assertTrue(echo == sent, "other bytes came back than were sent")
        status, output, errors = self.servers[name].end()
        self.assertEqual((status, output[-1], errors), (0, "end: 0 reset, 0 in flight", []), output)

    @staticmethod
    def fill(client):
        """Sends and does not read, until everybody on the way is full: what was sent."""
        sent, piece = bytearray(), os.urandom(1 << 16)
        client.setblocking(False)
        while select.select([], [client], [], STUCK)[1]:
            sent += piece[:client.send(piece)]
        client.settimeout(PATIENCE)
        return bytes(sent)

    def test_a_half_close_passes_through_the_proxy_and_the_echo_is_complete(self):
        for size in (5, 10_000_000):
            message = os.urandom(size)
            with self.subTest(size=size), socket.create_connection(("127.0.0.1", self.proxy.port), PATIENCE) as client:
                def speak():
                    client.sendall(message)
                    client.shutdown(socket.SHUT_WR)
                speaker = threading.Thread(target=speak)
                speaker.start()
                echo = b"".join(iter(lambda: client.recv(1 << 16), b""))
                speaker.join()
                self.assertEqual(len(echo), size)
                self.assertTrue(echo == message, "other bytes came back than were sent")

    def test_a_reset_of_the_server_reaches_the_client_as_an_ordinary_end(self):
        self.restart("two", "--grace=0")
        one = next(each for each in self.clients(3) if each.server == "two")
        one.fall_silent()
        self.servers["two"].press_ctrl_c()
        status, output, errors = self.servers["two"].end()
        self.assertEqual((status, errors), (0, []), output)
        self.assertRegex(output[-1], "^end: [12] reset, 0 in flight$", "it, and a check that is there just then")
        self.assertEqual((one.ended, one.rest()), (None, b""), one)

    def test_a_check_counts_as_a_client_and_costs_no_line(self):
        two = self.servers["two"]
        self.restart("two", "--stats=1")
        accepted = []
        while not accepted or accepted[-1] < 3:
            self.assertLess(len(accepted), PATIENCE, f"a line a second: {accepted}")
            accepted.append(int(re.fullmatch(r"now: (\d+) accepted, 0 lost, \d+ bytes", two.output.next())[1]))
        two.press_ctrl_c()
        status, output, errors = two.end()
        self.assertEqual((status, output[-1], errors), (0, "end: 0 reset, 0 in flight", []), output)
        self.assertRegex(output[-2], r"^served: \d+ accepted, 0 lost, \d+ bytes$")


if __name__ == "__main__":
    unittest.main()
