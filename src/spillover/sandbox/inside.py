"""What makes the sandbox closed: namespaces, a root with nothing in it, no rights, few calls. The standard library alone."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import resource
import runpy
import signal
import struct
import sys
import traceback
import unittest
from collections.abc import Callable
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
PDEATHSIG, SECCOMP, CAPBSET_DROP, NO_NEW_PRIVS = 1, 22, 24, 38
DETACH = 2
NOBODY, USERS = 60000, 1000
"""User ids that nothing else has: limits count processes by user."""
WORK = "/work"

# Numbers of the calls that a job is refused, by machine: memory that no limit counts (shared segments, files in memory), new
# namespaces and mounts, tracing, and parts of the kernel that are known for holes.
MACHINES: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        (29, 64, 68, 101, 155, 161, 165, 166, 248, 249, 250, 272, 298, 308, 319, 321, 323, *range(425, 433), 442),
    ),
    "aarch64": (
        0xC00000B7,
        (194, 190, 186, 117, 41, 51, 40, 39, 217, 218, 219, 97, 241, 268, 279, 280, 282, *range(425, 433), 442),
    ),
}

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


def write(path: str, text: str) -> None:
    """Into a file of the kernel's."""
    with open(path, "w") as file:
        file.write(text)


def enter() -> None:
    """Go into a user namespace, in a process of its own; the one that was started waits for its end.

    Even root does: its user ids are mapped, and no further namespace can be made within, of which a job would be root.

    Raises:
        OSError: if this machine does not allow it.
    """
    if os.uname().machine not in MACHINES:
        raise OSError(f"no list of calls for {os.uname().machine}")
    user, group = os.getuid(), os.getgid()
    ids = f"0 0 1\n{NOBODY} {NOBODY} {USERS}" if user == 0 else f"{user} {user} 1"
    groups = ids if user == 0 else f"{group} {group} 1"
    told, tell = os.pipe()
    mapped, go = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        os.close(mapped)
        if os.read(told, 1):  # nothing, if the child could not leave
            if user != 0:
                write(f"/proc/{child}/setgroups", "deny")
            write(f"/proc/{child}/uid_map", ids)
            write(f"/proc/{child}/gid_map", groups)
            os.write(go, b"x")
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
    os.close(told)
    os.close(go)
    call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    unshare("NEWUSER", "NEWNS", "NEWNET", "NEWIPC", "NEWUTS")
    os.write(tell, b"x")
    if not os.read(mapped, 1):
        raise OSError("user ids cannot be mapped")
    write("/proc/sys/user/max_user_namespaces", "0")
    mount("none", "/", None, REC | PRIVATE)


def show_root(root: str) -> None:
    """In an empty folder, a root with the standard library and three devices; the machine's own is gone afterwards."""
    mount("tmpfs", root, "tmpfs", NOSUID | NODEV, "size=1m,mode=755")
    shown = {os.path.realpath(p) for p in (*sys.path, os.path.dirname(os.__file__)) if os.path.isdir(p)}
    shown -= {os.path.dirname(os.path.realpath(__file__))}
    shown |= {p for p in ("/lib", "/lib64", "/usr/lib", "/usr/lib64") if os.path.isdir(p)}
    for path in sorted(shown):
        if not any(path != other and path.startswith(other + "/") for other in shown):
            os.makedirs(root + path, exist_ok=True)
            mount(path, root + path, None, BIND | REC)
            held = os.statvfs(path).f_flag & (NOSUID | NODEV | NOEXEC)  # what is locked for a user without rights must stay
            mount("none", root + path, None, REMOUNT | BIND | RDONLY | NOSUID | NODEV | held)
    for name in ("null", "zero", "urandom"):
        place = f"{root}/dev/{name}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        open(place, "w").close()
        mount(f"/dev/{name}", place, None, BIND)
    os.makedirs(root + WORK)
    os.makedirs(f"{root}/old")
    os.chdir(root)
    numbers = {"x86_64": 155, "aarch64": 41}
    call("syscall", numbers[os.uname().machine], b".", b"old")  # pivot_root, which not every C library names
    os.chdir("/")
    call("umount2", b"/old", DETACH)
    os.rmdir("/old")
    mount("none", "/", None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)


def become(fds: dict[str, int]) -> NoReturn:
    """Become the job: read it, write its files, give up every right, run."""
    os.setsid()  # `kill(0, ...)` reaches a process group across namespaces
    with os.fdopen(os.dup(fds["job"]), "rb") as file:
        job: dict[str, Any] = json.loads(file.read().decode("utf-8", "surrogatepass"))
    limits = job.pop("limits")
    mount("tmpfs", WORK, "tmpfs", NOSUID | NODEV, f"size={limits['file']},mode=777,nr_inodes=1000")
    os.chdir(WORK)
    for name, text in job["files"].items():
        with open(os.path.basename(name), "w", encoding="utf-8", errors="surrogatepass") as written:
            written.write(text)
    null = os.open("/dev/null", os.O_RDONLY)
    kept = [os.dup(fd) for fd in (null, fds["out"], fds["err"], fds["result"])]
    for target, fd in enumerate(kept):
        os.dup2(fd, target)
    os.closerange(4, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    limit(limits)
    give_up_rights()
    sys.stdin = io.StringIO()
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(fd, "w", closefd=False)) for fd in (1, 2))
    sys.path[:] = [WORK, *(p for p in sys.path if p != os.path.dirname(os.path.abspath(__file__)))]
    sys.dont_write_bytecode = True
    code = 1
    try:
        code = HOW[job["how"]](job)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:
                code = code or 1
        os._exit(min(code & 255, 128))


def limit(limits: dict[str, int]) -> None:
    """Time of the processor and memory of each process, number of processes, size of files and their number."""
    for name, value in (
        ("RLIMIT_CPU", limits["seconds"]),
        ("RLIMIT_AS", limits["memory"]),
        ("RLIMIT_NPROC", limits["processes"]),
        ("RLIMIT_FSIZE", limits["file"]),
        ("RLIMIT_NOFILE", 64),
        ("RLIMIT_CORE", 0),
    ):
        resource.setrlimit(getattr(resource, name), (value, value))


def give_up_rights() -> None:
    """No capability is left and none can be got, not by a program with a set-user bit either; some calls are refused."""
    for capability in range(64):
        if libc.prctl(CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    if os.getuid() == 0:
        user = NOBODY + int.from_bytes(os.urandom(2), "big") % USERS
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())
    machine, numbers = MACHINES[os.uname().machine]
    steps = [
        (0x20, 0, 0, 4),
        (0x15, 1, 0, machine),
        (0x06, 0, 0, 0x80000000),
        (0x20, 0, 0, 0),
    ]  # another machine's calls: killed
    steps += [(0x35, 0, 1, 0x40000000), (0x06, 0, 0, 0x00050001)]  # of the x32 kind: refused
    for number in numbers:
        steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050001)]  # refused: EPERM
    steps.append((0x06, 0, 0, 0x7FFF0000))
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(program)
    call("prctl", SECCOMP, 2, struct_of(len(steps), held), 0, 0)


def struct_of(count: int, program: Any) -> Any:
    """`struct sock_fprog`."""

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    return ctypes.byref(Program(count, ctypes.cast(program, ctypes.c_void_p)))


def script(job: dict[str, Any]) -> int:
    """Run a file as a program."""
    runpy.run_path(job["name"], run_name="__main__")
    return 0


def unittests(job: dict[str, Any]) -> int:
    """Run a file's unit tests in the process of what is tested, and believe the exit code: this can be fooled."""
    ran = unittest.main(module=None, argv=["unittest", "-q", job["name"].removesuffix(".py")], exit=False)
    return 0 if ran.result.wasSuccessful() else 1


def calls(job: dict[str, Any]) -> int:
    """Call a function with each list of arguments and write what it returned, one JSON text a line; nothing is compared."""
    function = getattr(__import__(job["name"].removesuffix(".py")), job["function"])
    for given, named in job["calls"]:
        line = "null null"  # no JSON: what raised has no result
        with contextlib.suppress(Exception):
            line = json.dumps(function(*given, **named))
        os.write(3, line.encode() + b"\n")
    return 0


HOW: dict[str, Callable[[dict[str, Any]], int]] = {"script": script, "unittests": unittests, "calls": calls}
