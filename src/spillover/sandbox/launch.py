"""The closed sandbox, run as a script of its own: JSON with jobs comes in, JSON with what became of them goes out.

Each job has namespaces of its own (processes, mounts, network, IPC, host name), no capabilities and no way to get any, and a
root that holds the standard library, read-only, and an empty folder in memory. The standard library alone is imported here.

Four processes: the launcher knows the jobs. A zygote was forked before they were read and never sees one; it forks an owner
for each, outside of the job's namespaces. The owner forks the first process within them, which forks the job, and only the
job reads what it is. So no job finds another one's code or results in its memory, none can end or trace what watches it, and
when the owner is killed all that the job started is gone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from importlib import import_module
from typing import Any, NoReturn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
inside: Any = import_module("inside")  # beside this file: as a script it is in no package

SHOWN = 65536
"""Bytes of output that are kept."""
BROKEN = 255
"""Exit code when the sandbox itself failed; a job's own is at most 254."""
Fds = dict[str, int]
NAMES = ("job", "out", "err", "result")


def main() -> None:
    """Run every job, some at a time."""
    root = sys.argv[1]
    try:
        inside.enter()
        inside.show_root(root)
        zygote = Zygote()
        asked = json.load(sys.stdin)
        print(json.dumps({"closed": True, "runs": zygote.run(asked["jobs"], asked["limits"], asked["at_once"])}))
    except (OSError, KeyError) as error:
        print(json.dumps({"closed": False, "why": str(error)}))


class Zygote:
    """The process that forks owners, and the launcher's end of the line to it."""

    def __init__(self) -> None:
        self.line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            self.line.close()
            os.close(0)
            serve(other)
        other.close()

    def run(self, jobs: list[dict[str, Any]], limits: dict[str, int], at_once: int) -> list[dict[str, Any]]:
        """What became of each job, in order."""
        waiting = list(enumerate(jobs))[::-1]
        running: dict[int, dict[str, Any]] = {}
        found: dict[int, dict[str, Any]] = {}
        while waiting or running:
            while waiting and len(running) < at_once:
                number, job = waiting.pop()
                fds = {name: os.memfd_create(name) for name in NAMES}
                os.write(fds["job"], json.dumps({**job, "limits": limits}).encode("utf-8", "surrogatepass"))
                os.lseek(fds["job"], 0, os.SEEK_SET)
                socket.send_fds(self.line, [b"job"], list(fds.values()))
                pid = self._forked(running, found)
                running[pid] = {"number": number, "fds": fds, "until": time.monotonic() + limits["seconds"], "late": False}
            first = min(run["until"] for run in running.values())
            if select.select([self.line], [], [], max(0.0, first - time.monotonic()))[0]:
                self._ended(self.line.recv(64), running, found)
            for pid, run in running.items():
                if time.monotonic() > run["until"] and not run["late"]:
                    run["late"], run["until"] = True, time.monotonic() + 60
                    os.kill(pid, signal.SIGKILL)
        return [found[i] for i in range(len(jobs))]

    def _forked(self, running: dict[int, dict[str, Any]], found: dict[int, dict[str, Any]]) -> int:
        """Process id of the owner that was asked for; others may end before it is said."""
        while True:
            told = self.line.recv(64)
            if told.startswith(b"forked"):
                return int(told.split()[1])
            self._ended(told, running, found)

    def _ended(self, told: bytes, running: dict[int, dict[str, Any]], found: dict[int, dict[str, Any]]) -> None:
        _, pid, code = told.split()
        run = running.pop(int(pid))
        found[run["number"]] = result(run, int(code))


def result(run: dict[str, Any], code: int) -> dict[str, Any]:
    """What a job left behind."""
    text = {name: os.pread(run["fds"][name], SHOWN, 0).decode("utf-8", "replace") for name in NAMES[1:]}
    for fd in run["fds"].values():
        os.close(fd)
    return {"code": None if run["late"] or code < 0 else code, "late": run["late"], "broken": code == BROKEN, **text}


def serve(line: socket.socket) -> NoReturn:
    """In the zygote: fork an owner for each set of descriptors that comes, and say how those that ended did."""
    inside.call("prctl", inside.PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    owners: dict[int, int] = {}
    while True:
        watched: list[Any] = [line, *owners]
        ready = select.select(watched, [], [])[0]
        if line in ready:
            told, fds, _, _ = socket.recv_fds(line, 16, len(NAMES))
            if not told:
                os._exit(0)
            pid = os.fork()
            if pid == 0:
                line.close()
                own(dict(zip(NAMES, fds, strict=True)))
            for fd in fds:
                os.close(fd)
            owners[os.pidfd_open(pid)] = pid
            line.send(f"forked {pid}".encode())
        for fd in [fd for fd in owners if fd in ready]:
            pid = owners.pop(fd)
            os.close(fd)
            line.send(f"ended {pid} {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}".encode())


def own(fds: Fds) -> NoReturn:
    """Outside of a job's namespaces, which are its own: a killed job is told by a killed owner."""
    try:
        inside.call("prctl", inside.PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        inside.unshare("NEWPID", "NEWNS", "NEWIPC", "NEWNET", "NEWUTS")
        child = os.fork()
        if child == 0:
            first(fds)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code < 0 or code > 128:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(code)
    except BaseException as error:
        os.write(fds["err"], str(error).encode())
        os._exit(BROKEN)


def first(fds: Fds) -> NoReturn:
    """The first process of a job's namespace: not the job's to signal or trace, and its end is the end of all in there."""
    inside.call("prctl", inside.PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    child = os.fork()
    if child == 0:
        try:
            inside.become(fds)
        except BaseException as error:
            os.write(fds["err"], str(error).encode())
        os._exit(BROKEN)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(129 if code < 0 else BROKEN if code == BROKEN else min(code, 128))


if __name__ == "__main__":
    main()
