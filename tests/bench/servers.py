"""The servers of the bench: where they are, how they are started, and what they cost while they run.

Under Wine all of them run in a prefix of the bench's own, so that no other program uses its wineserver.
"""

import contextlib
import csv
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

if os.name == "nt":
    import windows_costs
else:
    import fcntl
    import resource

ROOT = pathlib.Path(__file__).resolve().parents[2]
WINDOWS = os.name == "nt"
# The programs of the build: of another tree when the environment says so.
BIN = pathlib.Path(os.environ.get("BENCH_BIN") or
                   ROOT / "build" / (os.environ.get("TUTORIAL_PRESET", "msvc") if WINDOWS else "wine") / "bin")
LOAD = BIN / "load.exe" if WINDOWS else ROOT / "build" / "load" / "bin" / "load"
PLACE = ROOT / "build" / "bench"
START_S = 60  # a server that has not said where it listens by then never will


class Failure(Exception):
    """Something that cannot be done, in words for people."""


def chapters():
    """The chapters that serve clients: number -> name of the program."""
    with open(ROOT / "chapters" / "ladder.csv", encoding="utf-8", newline="") as file:
        return {row["number"]: f'{row["number"]}_{row["name"]}' for row in csv.DictReader(file) if row["number"] != "00"}


def build_load():
    """Builds the load generator, natively; on Windows it is a target of the whole."""
    if WINDOWS:
        if not LOAD.exists():
            raise Failure(f"there is no {LOAD}: tutorial bench builds it")
        return
    folder = LOAD.parents[1]
    commands = [["cmake", "--build", folder]]
    if not (folder / "build.ninja").exists():
        commands.insert(0, ["cmake", "-G", "Ninja", "-S", ROOT / "tests" / "bench", "-B", folder])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in commands:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                raise Failure(f"the load generator cannot be built:\n{done.stdout}{done.stderr}".rstrip())


def cores():
    """The numbers of the processors that this process may use."""
    return set(range(os.cpu_count())) if WINDOWS else os.sched_getaffinity(0)


def descriptors():
    """How many sockets a process may have."""
    most = -1 if WINDOWS else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if most == -1 else most  # -1: no limit


def system():
    """What the measurements were taken on."""
    about = {"system": platform.platform(), "processors": os.cpu_count()}
    if not WINDOWS:
        with contextlib.suppress(OSError):
            about["distribution"] = platform.freedesktop_os_release()["PRETTY_NAME"]
        about["wine"] = subprocess.run(["wine", "--version"], env=dict(os.environ, WINEDEBUG="-all"), capture_output=True,
                                       text=True).stdout.strip()
    return about


# --- Wine ------------------------------------------------------------------------------------------------------------


class Wine:
    """A wineserver of our own, and Wine's services on it, for as long as the `with` lasts.

    Its prefix shares the programs of build/wineprefix and has a registry of its own.
    With a file in `log` the wineserver writes down every request; with a core it is kept to that one.
    """

    def __init__(self, log=None, core=None):
        self._log = log
        self._core = core
        self._server = None

    def __enter__(self):
        whole = ROOT / "build" / "wineprefix"
        if not (whole / "made").exists():
            subprocess.run([ROOT / "cmake" / "wine", "cmd", "/c", "exit"], check=True, **_NO_STREAMS)
        PLACE.mkdir(parents=True, exist_ok=True)
        self._prefix = pathlib.Path(tempfile.mkdtemp(prefix="prefix-", dir=PLACE))
        (self._prefix / "drive_c").symlink_to(whole / "drive_c")
        shutil.copytree(whole / "dosdevices", self._prefix / "dosdevices", symlinks=True)
        for file in (".update-timestamp", "system.reg", "user.reg", "userdef.reg"):
            shutil.copy2(whole / file, self._prefix / file)
        # As cmake/wine has it.
        self.environment = dict(os.environ, WINEPREFIX=str(self._prefix), WINEDEBUG="-all",
                                WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d",
                                XDG_CACHE_HOME=str(whole / "cache"))
        self._fixed = [] if subprocess.run(["setarch", "-R", "true"], **_NO_STREAMS).returncode else ["setarch", "-R"]
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        command = pinned(self._core, [*self._fixed, "wineserver", "--foreground", "--persistent"])
        if self._log is not None:
            command.append("--debug=1")
        errors = subprocess.DEVNULL if self._log is None else self._log
        self._server = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=errors)
        # It works in the folder that its socket is in.
        wait_until(lambda: os.path.exists(f"/proc/{self.pid}/cwd/socket"), 30, "wineserver does not start")
        # The services inherit what the first program has open: nothing.
        subprocess.run(pinned(self._core, self.command("cmd", "/c", "exit")), env=self.environment, check=True, **_NO_STREAMS)

    def __exit__(self, *_):
        if self._server is not None:
            subprocess.run(["wineserver", "--kill"], env=self.environment, **_NO_STREAMS)
            self._server.wait()
        shutil.rmtree(self._prefix)

    @property
    def pid(self):
        return self._server.pid

    def command(self, *words):
        return [*self._fixed, "wine", *words]


_NO_STREAMS = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def pinned(core, command):
    return list(command) if core is None or WINDOWS else ["taskset", "-c", str(core), *command]


def start(command, core, **streams):
    """Starts a program, kept to a core unless that is None."""
    process = subprocess.Popen(pinned(core, command), **streams)
    if WINDOWS and core is not None:
        windows_costs.pin(process, core)
    return process


def wait_until(condition, seconds, otherwise):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise Failure(otherwise)
        time.sleep(0.005)


# --- a server --------------------------------------------------------------------------------------------------------


class Server:
    """A running server, on a free port."""

    def __init__(self, words, wine=None, core=None):
        self._folder = pathlib.Path(tempfile.mkdtemp())
        self.wine = wine
        environment = None
        if wine is not None:
            words = wine.command(*words)
            environment = wine.environment
        with open(self._folder / "output", "wb") as output, open(self._folder / "errors", "wb") as errors:
            self._process = start(words, core, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        try:
            self.port = self._wait_for_port()
        except BaseException:
            self.stop()
            raise

    def _wait_for_port(self):
        until = time.monotonic() + START_S
        while True:
            ended = not self.running
            found = re.match(r"listening on 127\.0\.0\.1:(\d+)\r?\n", self.text("output"))
            if found:
                return int(found[1])
            if ended or time.monotonic() > until:
                raise Failure(f'it does not say where it listens, but: {self.text("output")}{self.text("errors")}')
            time.sleep(0.01)

    def text(self, stream="errors"):
        """The beginning of what it has written."""
        with open(self._folder / stream, encoding="utf-8", errors="replace", newline="") as file:
            return file.read(10_000)

    @property
    def pid(self):
        return self._process.pid

    @property
    def running(self):
        return self._process.poll() is None

    def memory(self):
        """Bytes that it has written to and shares with nobody, swapped out or not."""
        if WINDOWS:
            return windows_costs.memory(self._process)
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            sizes = dict(line.split()[:2] for line in file if line.startswith(("Private_Dirty:", "Swap:")))
        return 1024 * sum(map(int, sizes.values()))

    def cpu(self):
        """Processor seconds so far: its own, and those of the wineserver."""
        if WINDOWS:
            return windows_costs.cpu(self._process), 0.0
        return _cpu(self.pid), _cpu(self.wine.pid) if self.wine else 0.0

    def stop(self):
        if self.running:
            self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _cpu(pid):
    nanoseconds = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                nanoseconds += int(file.read().split()[0])
        except FileNotFoundError:
            pass  # a thread that has ended meanwhile
    return nanoseconds / 1e9


# --- the load --------------------------------------------------------------------------------------------------------


class Load:
    """A run of the load generator."""

    def __init__(self, port, mode, *, core=None, **options):
        words = [LOAD, mode, f"--port={port}", *(f"--{name}={value}" for name, value in options.items())]
        self._process = start(map(str, words), core, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def next(self):
        """What it says next: begin and end of the measured time, or silent; the result comes last."""
        line = self._process.stdout.readline()
        if not line:
            raise Failure(f"the load generator has ended with status {self._process.wait()}")
        return json.loads(line)

    def tell(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def result(self):
        """Lets it come to its end. With the status in it."""
        self._process.stdin.close()
        while True:
            event = self.next()
            if event["event"] == "result":
                return event | {"status": self._process.wait()}
