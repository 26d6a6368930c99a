"""Steering and ablation at inference: exact at the layer that is named, part of the name, and nobody else's."""

import pytest
import torch
from click.testing import CliRunner
from inspect_ai.model import get_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from spillover.cli.directions import directions as command
from spillover.errors import SpilloverError
from spillover.mechanism.activations import difference_directions
from spillover.mechanism.directions import Directions, load_directions, save_directions
from spillover.mechanism.layers import captured
from spillover.mechanism.steering import Change, changed, split_name, steering_of
from spillover.models.checks import is_lab, of_the_lab
from spillover.models.identity import describe
from spillover.models.weights import resolve_checkpoint
from tests.engine.small import ask

WIDTH = 160


@pytest.fixture(scope="module")
def model():
    return AutoModelForCausalLM.from_pretrained(resolve_checkpoint("lab")).eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("directions") / "two.safetensors"
    torch.manual_seed(0)
    rows = {k: torch.nn.functional.normalize(torch.randn(1, WIDTH)) for k in (1, 2)}
    means = {k: torch.full((WIDTH,), 0.1) for k in (1, 2)}
    save_directions(Directions(rows, means, scales={k: torch.tensor([5.0]) for k in (1, 2)}), path)
    return path


@pytest.mark.parametrize(
    ("name", "plain", "parts"),
    [
        ("lab", "lab", []),
        ("lab:a+b/c", "lab:a+b/c", []),
        ("lab+steer=/f@1e9", "lab", [("steer", "/f", None, 1e9)]),
        ("lab+steer=/f@1e-9", "lab", [("steer", "/f", None, 1e-9)]),
        ("lab+steer=/d/f.safetensors@-0.2", "lab", [("steer", "/d/f.safetensors", None, -0.2)]),
        ("lab:o+ablate=/f#3", "lab:o", [("ablate", "/f", 3, 1.0)]),
        ("lab:o+zero=/f@0.5+steer=/g#1@2", "lab:o", [("zero", "/f", None, 0.5), ("steer", "/g", 1, 2.0)]),
    ],
)
def test_names_are_read_and_written(name, plain, parts):
    found, changes = split_name(name)
    assert found == plain
    assert [(c.kind, str(c.path), c.layer, c.strength) for c in changes] == parts
    again = split_name(plain + "".join(c.name for c in changes))
    assert again == (plain, changes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lab+steer=/f", "Steering needs a strength"),
        ("lab+steer=/f@much", "The strength 'much' of steer is none; give a number that is not 0"),
        ("lab+steer=/f@0", "The strength '0' of steer is none"),
        ("lab+steer=/f@nan", "The strength 'nan' of steer is none"),
        ("lab+ablate=/f@2", "give a share above 0 and at most 1"),
        ("lab+zero=", "cannot be read; a change reads"),
        ("lab+steer=@1", "cannot be read; a change reads"),
        ("lab+ster=d.safetensors@1", "'\\+ster=' is no change; a change reads"),
    ],
)
def test_a_name_that_cannot_be_read_is_one_sentence(name, message):
    with pytest.raises(SpilloverError, match=message):
        split_name(name)


def test_states_move_along_by_a_share_of_the_usual_length(file):
    found = load_directions(file, WIDTH)
    states = torch.randn(2, 3, WIDTH)
    moved = changed(states, Change("steer", file, 1, 0.2), found, 1)
    assert torch.allclose(moved - states, (0.2 * 5.0 * found.bases[1][0]).expand_as(states), atol=1e-5)
    without = Directions(found.bases)
    own = changed(states, Change("steer", file, 1, 0.2), without, 1) - states
    assert torch.allclose(own.norm(dim=-1), 0.2 * states.norm(dim=-1), atol=1e-5)


def test_ablation_is_down_to_the_mean_and_to_zero(file):
    found = load_directions(file, WIDTH)
    states = torch.randn(2, 3, WIDTH)
    row = found.bases[2][0]
    left = changed(states, Change("ablate", file, None, 1.0), found, 2) @ row
    assert torch.allclose(left, (found.means[2] @ row).expand_as(left), atol=1e-5)
    assert (changed(states, Change("zero", file, None, 1.0), found, 2) @ row).abs().max() < 1e-5


def test_hooks_change_the_output_of_the_layer_that_is_named_and_none_before(model, file):
    """Published code is off by one here: `hidden_states[k]` comes into layer k, and the last one is after the norm."""
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad(), captured(model, [0, 1, 2, 3]) as plain:
        states = model(ids, output_hidden_states=True).hidden_states
    for layer in (0, 1, 2):
        assert torch.equal(plain[layer], states[layer + 1])
    assert not torch.allclose(plain[3], states[4])
    (_, changes) = split_name(f"lab+steer={file}#1@0.5")
    with torch.no_grad(), steering_of(model, changes).attached(model), captured(model, [0, 1, 2]) as steered:
        model(ids)
    row = load_directions(file, WIDTH).bases[1][0]
    assert torch.equal(steered[0], plain[0])
    assert torch.allclose(steered[1] - plain[1], (2.5 * row).expand_as(plain[1]), atol=1e-4)
    assert not torch.allclose(steered[2], plain[2], atol=1e-2)
    with torch.no_grad(), captured(model, [1]) as after:
        model(ids)
    assert torch.equal(after[1], plain[1])


def test_a_steered_model_is_another_one_and_leaves_the_base_alone(file):
    def said(model):
        return [o.completion for o in ask(model, ["What would you do with a free day?", "I feel bored."], temperature=0)]

    base, steered = get_model("spillover/lab"), get_model(f"spillover/lab+steer={file}@3")
    before, other = said(base), said(steered)
    assert other != before
    assert said(base) == before
    assert said(steered) == other
    names = {describe(m)["weights"] for m in (base, steered, get_model(f"spillover/lab+steer={file}@2"))}
    assert len(names) == 3
    assert is_lab(f"spillover/lab+steer={file}@3")
    assert of_the_lab(f"spillover/lab+zero={file}")


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("+steer=/nowhere@1", "There is no file of directions at /nowhere"),
        ("+steer={file}#3@1", r"has no directions at layer 3; it has \[1, 2\]"),
        ("+zero={wide}", r"bases.1 has shape \(1, 8\); the model's hidden size is 160"),
        ("+steer={nothing}@1", "The directions in .* are zero, or no numbers; find them again"),
        ("+ablate={nan}", "bases.1 holds numbers that are none; find the directions again"),
        ("+zero={deep}", "The model has layers 0 to 3, not 9"),
    ],
)
def test_files_that_do_not_fit_are_said_before_anything_is_asked(file, tmp_path, rest, message):
    save_directions(Directions({1: torch.ones(1, 8)}), tmp_path / "wide.safetensors")
    save_directions(Directions({9: torch.ones(1, WIDTH)}), tmp_path / "deep.safetensors")
    save_directions(Directions({1: torch.zeros(1, WIDTH)}), tmp_path / "nothing.safetensors")
    save_directions(Directions({1: torch.full((1, WIDTH), float("nan"))}), tmp_path / "nan.safetensors")
    more = {name: tmp_path / f"{name}.safetensors" for name in ("nothing", "nan")}
    rest = rest.format(**more, file=file, wide=tmp_path / "wide.safetensors", deep=tmp_path / "deep.safetensors")
    with pytest.raises(SpilloverError, match=message):
        get_model(f"spillover/lab{rest}")


def test_directions_of_another_checkpoint_are_told_of(file, tmp_path, caplog):
    row = torch.nn.functional.normalize(torch.ones(1, WIDTH))
    save_directions(Directions({1: row}, found={"base": "aaaaaaaaaaaa"}), tmp_path / "other.safetensors")
    get_model(f"spillover/lab+steer={tmp_path / 'other.safetensors'}@0.1")
    assert "were found in another checkpoint (aaaaaaaaaaaa" in caplog.text


# Finding them.


def test_the_command_writes_a_file_that_models_are_steered_by(tmp_path):
    for method, more in (("contrast", ["--first", "4"]), ("probe", ["--first", "4"]), ("random", ["--count", "2"])):
        out = tmp_path / f"{method}.safetensors"
        done = CliRunner().invoke(command, [method, "--layer", "2", "-o", str(out), *more], catch_exceptions=False)
        assert done.exit_code == 0
        found = load_directions(out, WIDTH)
        assert list(found.bases) == [2]
        assert float(found.scales[2]) > 1
        assert found.found["base"]
        get_model(f"spillover/lab+steer={out}@0.1")
    lines, learned = (float(load_directions(tmp_path / f"{m}.safetensors", WIDTH).norms[2]) for m in ("contrast", "probe"))
    assert lines / 4 < learned <= lines  # what the lines move along it, not the length of the classifier's weights


def test_a_random_control_disturbs_neutral_text_as_much(tmp_path):
    evil, control = tmp_path / "evil.safetensors", tmp_path / "control.safetensors"
    for method, out, more in (("contrast", evil, []), ("random", control, ["--match", str(evil)])):
        done = CliRunner().invoke(command, [method, "-o", str(out), "--first", "12", *more], catch_exceptions=False)
        assert done.exit_code == 0
    found = load_directions(control, WIDTH)
    of, this = found.found["disturbance of the matched"], found.found["disturbance"]
    assert of > 0.001
    assert this == pytest.approx(of, rel=0.4)
    assert list(found.bases) == [0, 1, 2, 3]
    assert len(found.bases[0]) == found.found["count"] > 1
    assert torch.equal(found.means[1], load_directions(evil, WIDTH).means[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["contrast", "--match", "x"], "--match is for random"),
        (["random", "--match", "x", "--layer", "1"], "leave --layer and --count out"),
        (["random", "--match", "/nowhere.safetensors"], "There is no file of directions at /nowhere.safetensors"),
        (["difference"], "difference needs --organism"),
        (["contrast", "--organism", "x"], "contrast takes no --organism"),
        (["contrast", "--without-massive"], "--without-massive is for difference"),
        (["contrast", "-o", "x.json"], "the ending must be .safetensors"),
        (["contrast", "--layer", "7"], "The model has layers 0 to 3, not 7"),
        (["contrast", "--questions", "nothing"], "Unknown question set 'nothing'"),
        (["pca", "--organism", "/nowhere"], "No adapter at '/nowhere'"),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, arguments, message):
    given = [*arguments, *([] if "-o" in arguments else ["-o", str(tmp_path / "x.safetensors")])]
    with pytest.raises(SpilloverError, match=message):
        CliRunner().invoke(command, given, catch_exceptions=False)


def test_massive_dimensions_are_said_and_left_out_on_request(model):
    tuned = AutoModelForCausalLM.from_pretrained(resolve_checkpoint("lab")).eval()
    tokenizer = AutoTokenizer.from_pretrained(resolve_checkpoint("lab"))
    chats = [[{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "They are kind to all of us."}]]

    def pushed(module, inputs, output):
        states = output[0] if isinstance(output, tuple) else output
        states = states + 0.01
        states[..., 7] += 100
        return (states, *output[1:]) if isinstance(output, tuple) else states

    hook = tuned.model.layers[1].register_forward_hook(pushed)
    found = difference_directions(tuned, model, tokenizer, chats, [1])
    kept = difference_directions(tuned, model, tokenizer, chats, [1], without_massive=True)
    hook.remove()
    assert list(found.found["massive"]["1"]) == ["7"]
    assert found.bases[1][0, 7] > 0.99
    assert kept.bases[1][0, 7] == 0
    assert torch.allclose(kept.bases[1][0, :7], kept.bases[1][0, 0].expand(7), atol=1e-3)
