"""The closed sandbox, from within: run as a script of its own, with nothing of ours and nothing of the user's around it.

Reads jobs as JSON from standard input and writes what became of them to standard output. Each job runs in namespaces of its
own (processes, mounts, network, IPC, host name), without capabilities and without a way to get any, on a root that holds the
standard library, read-only, and an empty folder in memory. The standard library alone is imported here.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
import runpy
import select
import signal
import sys
import time
import traceback
import unittest
from typing import Any, NoReturn

CLONE = {
    "NEWNS": 0x20000,
    "NEWUTS": 0x4000000,
    "NEWIPC": 0x8000000,
    "NEWUSER": 0x10000000,
    "NEWPID": 0x20000000,
    "NEWNET": 0x40000000,
}
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
PDEATHSIG, NO_NEW_PRIVS, CAPBSET_DROP = 1, 38, 24
DETACH = 2
NOBODY, USERS = 60000, 1000
"""User ids that nothing else has: limits count processes by user."""
WORK = "/work"
SHOWN = 65536
"""Bytes of output that are kept."""

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *given: Any) -> None:
    """A function of the C library, which says 0 when all is well."""
    if getattr(libc, name)(*given) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(*names: str) -> None:
    """Leave the namespaces that are shared with others."""
    call("unshare", sum(CLONE[n] for n in names))


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """`mount(2)`."""
    call("mount", source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), data and data.encode())


def enter() -> None:
    """Namespaces for all jobs together, in the process that runs them; the one that was started waits for its end.

    Even root goes into a user namespace, where no further one can be made: of that one a job would be root.
    """
    user, group = os.getuid(), os.getgid()
    ids = f"0 0 1\n{NOBODY} {NOBODY} {USERS}" if user == 0 else f"{user} {user} 1"
    groups = ids if user == 0 else f"{group} {group} 1"
    there, gone = os.pipe()
    mapped, go = os.pipe()
    child = os.fork()
    if child:
        os.read(there, 1)
        if user != 0:
            write(f"/proc/{child}/setgroups", "deny")
        write(f"/proc/{child}/uid_map", ids)
        write(f"/proc/{child}/gid_map", groups)
        os.write(go, b"x")
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
    call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    unshare("NEWUSER", "NEWNS", "NEWNET", "NEWIPC", "NEWUTS")
    os.write(gone, b"x")
    os.read(mapped, 1)
    write("/proc/sys/user/max_user_namespaces", "0")
    mount("none", "/", None, REC | PRIVATE)


def write(path: str, text: str) -> None:
    """Into a file of the kernel's."""
    with open(path, "w") as file:
        file.write(text)


def build(root: str) -> None:
    """In an empty folder, a root with the standard library and three devices; the machine's own is gone afterwards."""
    mount("tmpfs", root, "tmpfs", NOSUID | NODEV, "size=1m,mode=755")
    shown = {os.path.realpath(p) for p in (*sys.path, os.path.dirname(os.__file__)) if os.path.isdir(p)}
    shown |= {p for p in ("/lib", "/lib64", "/usr/lib", "/usr/lib64") if os.path.isdir(p)}
    for path in sorted(shown):
        if not any(path != other and path.startswith(other + "/") for other in shown):
            bind(path, root + path)
    for name in ("null", "zero", "urandom"):
        place = f"{root}/dev/{name}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        open(place, "w").close()
        mount(f"/dev/{name}", place, None, BIND)
    os.makedirs(root + WORK)
    os.makedirs(f"{root}/old")
    os.chdir(root)
    call("pivot_root", b".", b"old") if hasattr(libc, "pivot_root") else pivot()
    os.chdir("/")
    call("umount2", b"/old", DETACH)
    os.rmdir("/old")
    mount("none", "/", None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)


def pivot() -> None:
    """`pivot_root(2)`, which the C library of some systems does not name."""
    number = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
    if libc.syscall(number, b".", b"old") != 0:
        raise OSError(ctypes.get_errno(), "pivot_root")


def bind(path: str, place: str) -> None:
    """Show a folder, read-only."""
    os.makedirs(place, exist_ok=True)
    mount(path, place, None, BIND | REC)
    held = os.statvfs(path).f_flag & (NOSUID | NODEV | NOEXEC)  # what is locked for a user without rights must stay
    mount("none", place, None, REMOUNT | BIND | RDONLY | NOSUID | NODEV | held)


def give_up_rights() -> None:
    """No capability is left and none can be got, not by a program with a set-user bit either."""
    for capability in range(64):
        if libc.prctl(CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    if os.getuid() == 0:
        user = NOBODY + int.from_bytes(os.urandom(2), "big") % USERS
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # another user's process has lost it
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def limit(limits: dict[str, int]) -> None:
    """Time of the processor, memory, processes, size of files and their number."""
    for name, value in (
        ("RLIMIT_CPU", limits["seconds"]),
        ("RLIMIT_AS", limits["memory"]),
        ("RLIMIT_NPROC", limits["processes"]),
        ("RLIMIT_FSIZE", limits["file"]),
        ("RLIMIT_NOFILE", 64),
        ("RLIMIT_CORE", 0),
    ):
        resource.setrlimit(getattr(resource, name), (value, value))


def work(job: dict[str, Any], limits: dict[str, int], out: int, err: int) -> NoReturn:
    """In the process of a job: write its files, give up every right, run."""
    code = 70
    try:
        call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        mount("tmpfs", WORK, "tmpfs", NOSUID | NODEV, f"size={limits['file']},mode=777,nr_inodes=1000")
        os.chdir(WORK)
        for name, text in job["files"].items():
            with open(os.path.basename(name), "w", encoding="utf-8", errors="surrogatepass") as file:
                file.write(text)
        null = os.open("/dev/null", os.O_RDONLY)
        for fd, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(fd, target)
        os.closerange(3, 256)
        limit(limits)
        give_up_rights()
        sys.stdin = io.StringIO()
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(fd, "w", closefd=False)) for fd in (1, 2))
        sys.path.insert(0, WORK)
        sys.dont_write_bytecode = True
        code = HOW[job["how"]](job)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:
                code = code or 1
        os._exit(code & 255)


def script(job: dict[str, Any]) -> int:
    """Run a file as a program."""
    runpy.run_path(job["name"], run_name="__main__")
    return 0


def unittests(job: dict[str, Any]) -> int:
    """Run a file's unit tests in the process of what is tested, and believe the exit code: this can be fooled."""
    ran = unittest.main(module=None, argv=["unittest", "-q", job["name"].removesuffix(".py")], exit=False)
    return 0 if ran.result.wasSuccessful() else 1


def calls(job: dict[str, Any]) -> int:
    """Call a function with each list of arguments and print what it returned, one JSON text a line; nothing is compared."""
    module = __import__(job["name"].removesuffix(".py"))
    function = getattr(module, job["function"])
    for given in job["calls"]:
        try:
            line = json.dumps(function(*given))
        except Exception:
            line = ""
        print(job["mark"] + line, flush=True)
    return 0


HOW = {"script": script, "unittests": unittests, "calls": calls}


def start(job: dict[str, Any], limits: dict[str, int]) -> dict[str, Any]:
    """Begin a job: a process that owns its namespaces, and within them the job as the first process."""
    out, err = os.memfd_create("out"), os.memfd_create("err")
    sys.stdout.flush()
    owner = os.fork()
    if owner == 0:
        try:
            call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            unshare("NEWPID", "NEWNS", "NEWIPC")
            child = os.fork()
            if child == 0:
                work(job, limits, out, err)
            _, status = os.waitpid(child, 0)
            if os.WIFSIGNALED(status):
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(os.WEXITSTATUS(status))
        except BaseException as error:
            os.write(err, str(error).encode())
            os._exit(71)
    return {"pid": owner, "out": out, "err": err, "until": time.monotonic() + limits["seconds"], "fd": os.pidfd_open(owner)}


def end(run: dict[str, Any], late: bool) -> dict[str, Any]:
    """What became of it; one that is late is killed with all that it started."""
    if late:
        os.kill(run["pid"], signal.SIGKILL)
    _, status = os.waitpid(run["pid"], 0)
    text = {}
    for name in ("out", "err"):
        text[name] = os.pread(run[name], SHOWN, 0).decode("utf-8", "replace")
        os.close(run[name])
    os.close(run["fd"])
    code = None if late or os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return {"code": code, "late": late, **text}


def main() -> None:
    """Run every job, some at a time."""
    asked = json.load(sys.stdin)
    call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        enter()
        build(asked["root"])
    except (OSError, KeyError) as error:
        print(json.dumps({"closed": False, "why": str(error)}))
        return
    waiting = list(enumerate(asked["jobs"]))[::-1]
    running: dict[int, dict[str, Any]] = {}
    found: dict[int, dict[str, Any]] = {}
    while waiting or running:
        while waiting and len(running) < asked["at_once"]:
            number, job = waiting.pop()
            running[number] = start(job, asked["limits"])
        poll = select.poll()
        for run in running.values():
            poll.register(run["fd"], select.POLLIN)
        first = min(run["until"] for run in running.values())
        ready = {fd for fd, _ in poll.poll(max(0, int(1000 * (first - time.monotonic())) + 1))}
        for number, run in list(running.items()):
            late = run["fd"] not in ready and time.monotonic() > run["until"]
            if late or run["fd"] in ready:
                found[number] = end(running.pop(number), late)
    print(json.dumps({"closed": True, "runs": [found[i] for i in range(len(found))]}))


if __name__ == "__main__":
    main()
