"""Two programs that run inside a sandbox, on Python's standard library alone and with no trust in what they find there."""

from __future__ import annotations

UNREADABLE = "(this file cannot be read)"

RUN = """
import os, signal, subprocess, sys, tempfile
root, seconds, most, command = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
env = {"PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"), "HOME": root, "LANG": "C.UTF-8"}
with tempfile.TemporaryFile() as said:
    try:
        shell = subprocess.Popen(
            ["bash", "-c", command], cwd=root, env=env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )
    except OSError as error:
        print("bash: %s" % error)
        sys.exit()
    try:
        code = shell.wait(seconds)
    except subprocess.TimeoutExpired:
        code = "none: the command was ended after %d seconds" % seconds
    try:
        os.killpg(shell.pid, signal.SIGKILL)
    except OSError:
        pass
    said.seek(0)
    text = said.read(4 * most).decode("utf-8", "replace")
print(text[:most] + ("\\n(cut)" if len(text) > most else ""))
if code != 0:
    print("exit code %s" % code)
"""
"""Arguments: folder, seconds, characters, command. What the command leaves running ends with it, and its environment holds
no key of ours."""

SNAPSHOT = """
import json, os, sys
root, first, found, left = sys.argv[1], json.load(sys.stdin), {}, 2000000
def take(path):
    global left
    full, name = os.path.join(root, path), os.fsencode(path).decode("utf-8", "replace")
    if name in found or os.path.islink(full) or not os.path.isfile(full) or left <= 0:
        return
    try:
        with open(full, encoding="utf-8", errors="replace", newline="") as file:
            text = file.read(65536)
    except OSError:
        text = "UNREADABLE"
    found[name] = text
    left -= len(text)
for path in first:
    take(path)
for folder, folders, names in os.walk(root):
    folders[:] = sorted(f for f in folders if f != "__pycache__")
    for name in sorted(names):
        if len(found) < 300:
            take(os.path.relpath(os.path.join(folder, name), root))
print(json.dumps(found))
""".replace("UNREADABLE", UNREADABLE)
"""Prints the first 64 kB of every file below a folder: those that are named on its input first, then others until there are
300 of them or two megabytes. A link is no file, and a folder that is gone holds none."""
