"""What the browser runs is what PyTorch computes, and a graph that isn't that is never written or run."""

import hashlib
import itertools
import logging

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from gen_utils.models import gan, unet
from gen_utils.models.vae import VAE
from gen_utils.page import export


@pytest.fixture(scope="module")
def layer():
    """Weights enough to be stored in half precision, and large enough to show it."""
    torch.manual_seed(0)
    return nn.Linear(64, 400).requires_grad_(False)


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    vae = VAE(latent_dim=3, hidden_dims=(32,), event_shape=(1, 8, 8)).requires_grad_(False).eval()
    export.round_to_half(vae)
    return vae


@pytest.fixture(scope="module")
def encoder(vae):
    x = torch.rand(4, 1, 8, 8)
    return export.export(vae.encode, {"pictures": x}, ["mu", "sigma"], "00_encoder")


def test_the_graph_is_the_function_on_inputs_it_never_saw(vae, encoder):
    for _ in range(20):
        x = torch.rand(4, 1, 8, 8)
        found = encoder.run(pictures=x.numpy())
        for name, value in zip(("mu", "sigma"), vae.encode(x), strict=True):
            np.testing.assert_allclose(found[name], value.numpy(), atol=1e-5, rtol=1e-5)


def test_names_and_shapes_are_kept(encoder, output):
    session = onnxruntime.InferenceSession(encoder.path)
    assert [(i.name, i.shape, i.type) for i in session.get_inputs()] == [("pictures", [4, 1, 8, 8], "tensor(float)")]
    assert [(o.name, o.shape) for o in session.get_outputs()] == [("mu", [4, 3]), ("sigma", [4, 3])]
    assert encoder.path == output / "models/00_encoder.onnx"
    assert encoder.sha256 == hashlib.sha256(encoder.path.read_bytes()).hexdigest()
    onnx.checker.check_model(onnx.load(encoder.path), full_check=True)


def test_the_same_function_gives_the_same_file(vae, encoder):
    again = export.export(vae.encode, {"pictures": torch.rand(4, 1, 8, 8)}, ["mu", "sigma"], "00_encoder_again")
    assert again.sha256 == encoder.sha256


def test_a_graph_does_not_tell_where_it_was_made(encoder):
    assert b".py" not in encoder.path.read_bytes()


def test_a_rounded_model_is_stored_in_half_and_stays_exact(layer):
    rounded = nn.Linear(64, 400).requires_grad_(False)
    rounded.load_state_dict(layer.state_dict())
    export.round_to_half(rounded)
    assert all(
        torch.equal(a, b.half().float()) for a, b in zip(rounded.parameters(), layer.parameters(), strict=True)
    )
    graph = export.export(rounded, {"x": torch.randn(1, 64)}, ["y"], "00_half", tolerance=1e-5)
    numbers = sum(p.numel() for p in layer.parameters())
    assert graph.path.stat().st_size < 0.6 * 4 * numbers
    x = torch.randn(1, 64)
    np.testing.assert_allclose(graph.run(x=x.numpy())["y"], rounded(x).numpy(), atol=1e-5, rtol=0)


def test_numbers_that_half_precision_cannot_hold_stay_whole(layer):
    graph = export.export(layer, {"x": torch.randn(1, 64)}, ["y"], "00_unrounded", tolerance=1e-5)
    assert graph.path.stat().st_size > 4 * sum(p.numel() for p in layer.parameters())
    huge = torch.full((600,), 1e6)  # beyond half precision's 65504
    graph = export.export(lambda x: x * huge, {"x": torch.ones(600)}, ["y"], "00_huge", tolerance=0.0)
    assert graph.error == 0


def test_a_graph_that_differs_from_its_function_is_refused():
    counter = itertools.count(1)  # the graph keeps what the first call saw
    with pytest.raises(ValueError, match=r"00_moving: expected the graph within 0.5 of PyTorch, got \d"):
        export.export(lambda x: x + next(counter), {"x": torch.zeros(3)}, ["y"], "00_moving", tolerance=0.5)


def test_small_constants_stay_in_single_precision():
    small = torch.linspace(1e-7, 1, 100)  # 1e-7 is 1.2e-7 in half precision
    graph = export.export(lambda x: x * small, {"x": torch.ones(100)}, ["y"], "00_small", tolerance=0.0)
    assert graph.run(x=np.ones(100, np.float32))["y"][0] == np.float32(1e-7)


def test_a_graph_that_draws_its_own_noise_is_refused(output):
    def noisy(x):  # every way to draw numbers that no seed of ours reaches
        drawn = x + torch.randn(3) + torch.rand_like(x) + torch.bernoulli(x) + torch.multinomial(x, 1)
        return nn.functional.dropout(drawn, 0.5, training=True)

    with pytest.raises(ValueError, match="00_noisy: expected noise as an input of the graph, found") as refusal:
        export.export(noisy, {"x": torch.full((3,), 0.5)}, ["y"], "00_noisy")
    for operator in ("Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomUniform"):
        assert operator in str(refusal.value)
    assert not (output / "models/00_noisy.onnx").exists()


def test_a_graph_of_more_than_2_mb_is_refused(output):
    large = nn.Linear(1024, 1024, bias=False)
    with pytest.raises(ValueError, match=r"00_large: expected .* at most 2000000 bytes, got 4\d{6}; round_to_half"):
        export.export(large, {"x": torch.zeros(1, 1024)}, ["y"], "00_large")
    assert not (output / "models/00_large.onnx").exists()


def test_constants_that_guard_a_division_survive():
    """Of x/(x+c) the exporter's optimiser deletes c up to 1e-8, as if it were 0: then 0/0 is NaN, and so is Adam.

    Every constant that the package adds to a divisor inside a graph belongs in this list.
    """
    guards = (gan.EPSILON, unet.FLOOR)
    names = [str(c) for c in guards]
    graph = export.export(lambda x: tuple(x / (x + c) for c in guards), {"x": torch.ones(3)}, names, "00_guard")
    for c in guards:
        assert graph.run(x=np.array([0, c, 1], np.float32))[str(c)] == pytest.approx([0, 0.5, 1 / (1 + c)], rel=1e-6)


def test_nan_is_never_within_tolerance_even_in_a_later_output():
    with pytest.raises(ValueError, match=r"within 0.0001 of PyTorch, got nan"):
        export.export(lambda x: (x, x / 0 * 0), {"x": torch.ones(3)}, ["a", "b"], "00_nan")


def test_a_changed_file_is_neither_read_nor_run(vae):
    graph = export.export(vae.decode, {"z": torch.zeros(1, 3)}, ["logits"], "00_changed")
    export._session.cache_clear()  # it ran once, to be compared
    assert graph.read() == graph.path.read_bytes()
    content = bytearray(graph.path.read_bytes())
    content[-1] ^= 1
    graph.path.write_bytes(content)
    for use in (graph.read, lambda: graph.run(z=np.zeros((1, 3), np.float32))):
        with pytest.raises(ValueError, match="is damaged: expected sha256") as refusal:
            use()
        for message in (str(graph.path), graph.sha256, hashlib.sha256(content).hexdigest(), "export it again"):
            assert message in str(refusal.value)


@pytest.mark.parametrize(
    "inputs",
    [{}, {"x": np.zeros((4, 1, 8, 8), np.float32)}, {"pictures": np.zeros((1, 1, 8, 8), np.float32)}],
    ids=["none", "another name", "another shape"],
)
def test_inputs_that_are_not_the_graph_s_are_refused(encoder, inputs):
    with pytest.raises(
        ValueError, match=r"00_encoder.onnx: expected inputs of shapes {'pictures': \(4, 1, 8, 8\)}, got"
    ):
        encoder.run(**inputs)


def test_export_leaves_the_model_as_it_was():
    # Dropout in evaluation is no noise, and stays in evaluation.
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export.export(model, {"x": torch.ones(1, 3)}, ["y"], "00_intact")
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())
    assert not model.training


def test_logging_speaks_again_after_an_export_that_failed():
    def breaks(z):
        raise RuntimeError("broken")

    with pytest.raises(Exception, match="broken"):
        export.export(breaks, {"z": torch.zeros(1)}, ["y"], "00_breaks")
    assert logging.root.manager.disable == logging.NOTSET
