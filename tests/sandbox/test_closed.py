"""What code in the closed sandbox can see and do: nothing of the machine, little of its power."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from spillover.errors import SpilloverError
from spillover.sandbox import closed
from spillover.sandbox.closed import Job, Limits, run, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"{why_not()}")


def ran(code, limits=Limits(), **files):
    (found,) = run([Job({"main.py": code, **files}, "main.py")], limits)
    return found


def test_code_runs_and_says_what_it_says():
    found = ran("print('hello'); raise SystemExit(3)")
    assert (found.code, found.out, found.late) == (3, "hello\n", False)


def test_keys_of_the_environment_are_not_there(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")
    found = ran("import os; print(sorted(os.environ))")
    assert "OPENAI" not in found.out
    assert "planted" not in ran("print(open('/proc/self/environ').read())").out


@pytest.mark.parametrize(
    "place", ["/etc", "/home", "/proc", "/sys", "/tmp", "/var", os.path.expanduser("~/.cache"), os.getcwd()]
)
def test_the_machine_s_files_are_not_there(place):
    assert ran(f"import os; print(os.listdir({place!r}))").code == 1


def test_nothing_can_be_written_but_in_its_own_folder_which_is_small():
    code = """
import os, sys
bad = []
for place in ['/', '/usr/lib', os.path.dirname(os.__file__), '/dev']:
    try:
        open(place + '/planted', 'w').close()
        bad.append(place)
    except OSError:
        pass
open('mine', 'w').write('x')
try:
    open('big', 'w').write('x' * (1 << 26))
    bad.append('big')
except OSError:
    pass
print(bad)
"""
    assert ran(code).out == "[]\n"


def test_there_is_no_network():
    code = "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)"
    import socketserver
    import threading

    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = ran(code.format(port=server.server_address[1]))
        server.shutdown()
    assert found.code == 1
    assert "unreachable" in found.err


def test_rights_are_gone_and_cannot_be_got():
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000 | 0x20000), libc.mount(b'none', b'/work', b'tmpfs', 0, None), libc.chroot(b'/'))
try:
    os.setuid(0)
    print('root')
except OSError:
    print('no')
"""
    assert ran(code).out == "-1 -1 -1\nno\n"


def test_other_jobs_are_out_of_reach():
    """Each has a namespace of processes of its own, whose first is not its to kill."""
    quiet = Job({"main.py": "import time; time.sleep(0.5); print('alive')"}, "main.py")
    kills = (
        "import os\nfor p in (1, *range(3, 99999)):\n    try: os.kill(p, 9)\n    except OSError: pass\nprint(os.getpid())"
    )
    killer = Job({"main.py": kills}, "main.py")
    found = run([quiet, killer, quiet])
    assert [f.out for f in found] == ["alive\n", "2\n", "alive\n"]


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time\ntime.sleep(60)",
        "import os, time\nfor _ in range(5):\n    if os.fork() == 0: time.sleep(60)\ntime.sleep(60)",
        "import signal, time\nfor s in (1, 2, 3, 15, 24): signal.signal(s, signal.SIG_IGN)\ntime.sleep(60)",
        "import ctypes, time\nctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\ntime.sleep(60)",
        "import os, time\nos.fork() or os.setsid() or os.fork() or time.sleep(60)\ntime.sleep(60)",
    ],
    ids=["busy", "idle", "children", "deaf", "deathless", "daemon"],
)
def test_what_hangs_is_killed_with_all_that_it_started(code):
    began = time.monotonic()
    found = ran(code, Limits(seconds=1))
    assert found.code is None
    assert time.monotonic() - began < 20
    while _left() and time.monotonic() - began < 20:
        time.sleep(0.05)
    assert not _left()


def _left():
    """Processes of the sandbox's users, which nothing else has; one that is dead and not yet buried is none."""
    alive = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            mine = 60000 <= os.stat(f"/proc/{pid}").st_uid < 61000
            if mine and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                alive.append(pid)
        except OSError:
            continue
    return alive


def test_no_job_finds_another_one_s_code_or_results():
    """Walk up the frames, and look through everything that Python holds."""
    code = """
import gc, sys
frame, seen = sys._getframe(), []
while frame:
    seen += [repr(v) for v in {**frame.f_globals, **frame.f_locals}.values()]
    frame = frame.f_back
seen += [repr(o) for o in gc.get_objects() if isinstance(o, (dict, list, tuple, str))]
needle = 'txet-detnalp'[::-1]
print(sum(needle in s for s in seen if s != repr(needle)))
"""
    other = Job({"main.py": "x = 'planted-text'"}, "main.py")
    found = run([other, Job({"main.py": code}, "main.py"), other])
    assert (found[1].code, found[1].out) == (0, "0\n")


@pytest.mark.parametrize("target", [0, -1, 1])
def test_a_signal_to_everybody_reaches_nobody_else(target):
    found = run([Job({"main.py": f"import os\nos.kill({target}, 9)\nprint('here')"}, "main.py")])
    assert not found[0].late
    assert found[0].crashed == (target == 0)  # its own group: itself


def test_memory_that_no_limit_counts_is_refused():
    code = "import ctypes\nlibc = ctypes.CDLL(None)\nprint(libc.shmget(0, 1 << 20, 0o1600), libc.memfd_create(b'x', 0))"
    assert ran(code).out == "-1 -1\n"


def test_jobs_do_not_talk_to_each_other():
    address = "chr(0) + 'here'"
    listens = f"import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind({address})\ns.listen()\ns.settimeout(2)\ns.accept()"
    speaks = f"import socket, time\ntime.sleep(0.7)\ns = socket.socket(socket.AF_UNIX)\ns.connect({address})"
    first, second = run([Job({"main.py": listens}, "main.py"), Job({"main.py": speaks}, "main.py")])
    assert "timed out" in first.err
    assert "refused" in second.err


def test_results_are_apart_from_what_is_printed():
    code = "def f(a, b=1):\n    print('3', end='')\n    if a == 9: raise ValueError\n    return [a + b]"
    job = Job({"s.py": code}, "s.py", "calls", "f", [([1], {}), ([2], {"b": 5}), ([9], {})])
    (found,) = run([job])
    assert found.result.splitlines()[:2] == ["[2]", "[7]"]
    assert len(found.result.splitlines()) == 3


def test_where_namespaces_are_not_allowed_it_says_so_at_once():
    code = "from spillover.sandbox.closed import why_not; print(why_not())"
    inner = f"echo 0 > /proc/sys/user/max_user_namespaces && exec {sys.executable} -c '{code}'"
    began = time.monotonic()
    done = subprocess.run(["unshare", "-Ur", "sh", "-c", inner], capture_output=True, text=True, check=False)
    assert "this machine has none ([Errno" in done.stdout, done.stderr
    assert "unshare" in done.stdout
    assert time.monotonic() - began < 20


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
def test_without_rights_it_is_as_closed(tmp_path_factory):
    """As nobody, by the system's Python: the launcher and what it starts with are copied to where nobody may read them."""
    python, setpriv = shutil.which("python3", path="/usr/bin"), shutil.which("setpriv")
    if not (python and setpriv):
        pytest.skip("needs setpriv and a Python in /usr/bin")
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        for name in ("launch.py", "inside.py"):
            shutil.copy(closed.LAUNCH.with_name(name), place)
            os.chmod(f"{place}/{name}", 0o644)
        (Path(place) / "root").mkdir()
        os.chmod(f"{place}/root", 0o777)
        codes = ["import os\nos.kill(0, 9)", "print(open('/etc/passwd').read())", "import os; print(os.getuid())"]
        jobs = [{"files": {"m.py": c}, "name": "m.py", "how": "script"} for c in codes]
        asked = {"jobs": jobs, "limits": vars(Limits()), "at_once": 2}
        command = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", python, "-I", "-S", "-B"]
        done = subprocess.run(
            [*command, f"{place}/launch.py", f"{place}/root"],
            input=json.dumps(asked), capture_output=True, text=True, cwd="/", env={}, start_new_session=True, check=False,
        )  # fmt: skip
    killed, read, me = json.loads(done.stdout)["runs"]
    assert killed["code"] is None
    assert "No such file" in read["err"]
    assert me["out"] == "65534\n"


def test_memory_processes_and_output_are_bounded():
    assert "MemoryError" in ran("x = bytearray(1 << 40)").err
    forks = "import os, time\nn = 0\ntry:\n    while os.fork(): n += 1\n    time.sleep(9)\nexcept OSError:\n    print(n)"
    assert int(ran(forks, Limits(processes=8)).out) < 8
    assert len(ran("while True: print('x' * 1000)", Limits(seconds=2)).out) <= 65536


def test_it_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    ran("open('x', 'w').write('y')")
    assert not list(tmp_path.iterdir())


def test_a_machine_without_one_refuses(monkeypatch):
    monkeypatch.setattr(closed.sys, "platform", "darwin")
    with pytest.raises(SpilloverError, match=r"closed sandbox only, and this machine has none \(this is darwin\)"):
        run([Job({"main.py": ""}, "main.py")])


def test_text_that_is_no_utf8_is_no_crash():
    assert ran("import sys; sys.stdout.buffer.write(b'\\xff\\xfe')").code in (0, 1)
    assert ran("print('\\ud800')").code == 1
