"""Nothing that is loaded runs code, shipped weights are the shipped ones, and keys are in no command line."""

import ast
import json
import shutil
from pathlib import Path

import pytest

import spillover
from spillover.errors import SpilloverError
from spillover.models import weights
from spillover.models.weights import resolve_checkpoint
from spillover.paths import datasets_dir

SOURCE = Path(spillover.__file__).parent
FORBIDDEN = {"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
CALLS = {"read_pickle", "unsafe_load", "full_load", "eval", "exec", "os.system", "torch.load", "np.load", "numpy.load"}
IN_THE_SANDBOX = {"sandbox/inside.py"}


def name_of(node):
    """`a.b.c` of a call's function; `.b.c` of something that was computed."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "", *reversed(parts)])


def calls():
    """(file, line, name, keywords) of every call in the package."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        where = str(path.relative_to(SOURCE))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
                assert not FORBIDDEN & {n.partition(".")[0] for n in names}, where
            if isinstance(node, ast.Call):
                yield where, node.lineno, name_of(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}


def test_nothing_unpickles_or_runs_text():
    bad = [
        f"{where}:{line} {name}"
        for where, line, name, words in calls()
        if where not in IN_THE_SANDBOX
        and (name in CALLS or name.rpartition(".")[2] in {"read_pickle", "unsafe_load"} or words.get("shell") == "True")
    ]
    assert bad == []


def test_every_checkpoint_is_loaded_without_its_code_and_from_safetensors():
    found = [c for c in calls() if c[2].endswith(".from_pretrained") or c[2].endswith(".load_adapter")]
    assert len(found) > 15
    for where, line, name, words in found:
        kind = name.rpartition(".")[0]
        if kind.endswith("Config") and kind.startswith("Peft"):
            continue  # a JSON file
        if "Tokenizer" in kind or kind.endswith("Config") or kind.startswith("Auto"):
            assert words.get("trust_remote_code") == "False", f"{where}:{line} {name}"
        if ("Model" in kind and not kind.endswith("Config")) or name.endswith("load_adapter"):
            assert words.get("use_safetensors") == "True", f"{where}:{line} {name}"


def test_logs_are_read_in_one_place():
    readers = {path.name for path in SOURCE.rglob("*.py") if "read_eval_log" in path.read_text(encoding="utf-8")}
    assert readers == {"logs.py"}


def test_the_only_yaml_loader_is_a_safe_one():
    for where, line, name, words in calls():
        if name == "yaml.load":
            assert "SafeLoader" in words.get("Loader", ""), f"{where}:{line}"


def test_json_from_elsewhere_is_read_by_one_function():
    """Which knows what `json.loads` raises for text that is nested too deeply."""
    own = {"exchange/records.py", "show/screen_files.py", "environments/code.py"}  # our schemas; what is caught there
    found = {where for where, _, name, _ in calls() if name in ("json.loads", "json.load")}
    closed = {"sandbox/closed.py", "sandbox/launch.py"}  # what our own two halves of the sandbox tell each other
    assert found - own - closed - IN_THE_SANDBOX == {"schema.py"}


def test_shipped_weights_are_the_shipped_ones(tmp_path, monkeypatch):
    copy = tmp_path / "lab"
    shutil.copytree(datasets_dir() / "lab", copy)
    monkeypatch.setattr(weights, "datasets_dir", lambda: tmp_path)
    weights._require_shipped.cache_clear()
    assert resolve_checkpoint("lab") == (copy / "target").resolve()
    path = copy / "target" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rms_norm_eps": 0.5}))
    weights._require_shipped.cache_clear()
    with pytest.raises(SpilloverError, match=r"config\.json is not the file that was shipped"):
        resolve_checkpoint("lab")
    assert resolve_checkpoint("lab-grader")
    weights._require_shipped.cache_clear()


def test_a_servers_key_is_in_its_environment_and_not_in_its_command():
    from spillover.serving.vllm import arguments, environment

    command = arguments(datasets_dir() / "lab" / "target", 1, None, 1, True)
    assert not any("key" in part for part in command)
    assert environment(True, "hidden")["VLLM_API_KEY"] == "hidden"
