"""A widget carries names and digests, never weights; its kernel half answers the page."""

import json
import math
import os
import re
import subprocess

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import pytest
import torch
import traitlets
from conftest import ROOT

from gen_utils import plots
from gen_utils.models.vae import VAE
from gen_utils.page import export, widgets
from gen_utils.page.widgets import base

mpl.use("agg")


@pytest.fixture(scope="module")
def decoders():
    """Two decoders as graphs, by their latent size, and the models they came from."""
    made = {}
    for K in (2, 20):
        torch.manual_seed(K)
        model = VAE(latent_dim=K, hidden_dims=(32,)).requires_grad_(False)
        export.round_to_half(model)
        function = lambda z, model=model: model.decode(z).sigmoid()  # noqa: E731
        made[K] = export.export(function, {"z": torch.zeros(1, K)}, ["x"], f"00_decoder_{K}"), function
    return made


RATES = np.linspace(0, 3, 20)
CODES, LABELS = np.random.default_rng(0).normal(size=(1000, 2)), np.arange(1000) % 10


def make_sliders(graph):
    return widgets.LatentSliders(graph, RATES)


def make_plane(graph):
    return widgets.LatentPlane(graph, CODES, LABELS)


@pytest.fixture
def sliders(decoders):
    return make_sliders(decoders[20][0])


@pytest.fixture
def plane(decoders):
    return make_plane(decoders[2][0])


@pytest.fixture(params=["sliders", "plane"])
def widget(request):
    return request.getfixturevalue(request.param)


def test_the_state_holds_a_name_and_a_digest_and_no_weights(widget):
    graph = widget._graphs["decoder"]
    state = widget.get_state()
    assert state["graphs"] == {"decoder": {"file": graph.path.name, "sha256": graph.sha256}}
    assert len(json.dumps(state, allow_nan=False)) < 100_000


def test_the_state_holds_what_the_widget_was_given(sliders, plane):
    assert sliders.get_state("rates")["rates"] == pytest.approx(RATES, abs=1e-4)
    assert sliders.get_state("z")["z"] == [0.0] * 20
    state = plane.get_state()
    np.testing.assert_allclose(state["codes"], CODES, atol=0.0051)
    assert state["labels"] == LABELS.tolist()
    assert len(state["palette"]) == 10
    assert state["colours"] == plots.COLOURS


def test_the_repr_is_the_same_every_time(sliders, plane, decoders):
    assert repr(sliders) == "LatentSliders()"
    assert repr(plane) == repr(widgets.LatentPlane(decoders[2][0], CODES[:3], LABELS[:3])) == "LatentPlane()"


# What the kernel answers, as anywidget sends it.


@pytest.fixture
def ask(widget, monkeypatch):
    """Call a command as the page does, and return what the widget sends back."""

    def ask(command, message, buffers=()):
        sent = []
        monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append((content, buffers)))
        question = {"kind": "anywidget-command", "id": "q", "name": command, "msg": message}
        widget._handle_custom_msg(question, [memoryview(b) for b in buffers])
        ((content, buffers),) = sent
        json.dumps(content)  # it travels as JSON
        assert content.keys() == {"id", "kind", "response"}
        assert content["id"] == "q"
        return content["response"], buffers

    return ask


def test_the_kernel_answers_with_bytes(widget, ask):
    content, (weights,) = ask("read_graph", "decoder")
    assert content == {}
    assert weights == widget._graphs["decoder"].path.read_bytes()
    assert onnxruntime.InferenceSession(weights).get_inputs()[0].name == "z"


def test_the_kernel_runs_what_the_page_cannot(widget, ask, decoders):
    (K,) = (K for K, (graph, _) in decoders.items() if graph == widget._graphs["decoder"])
    z = np.random.default_rng().normal(size=(1, K)).astype(np.float32)
    content, buffers = ask(
        "run_graph", {"graph": "decoder", "inputs": [{"name": "z", "dims": [1, K]}]}, [z.tobytes()]
    )
    assert content == {"outputs": [{"name": "x", "dims": [1, 1, 28, 28]}]}
    found = np.frombuffer(buffers[0], np.float32).reshape(1, 1, 28, 28)
    np.testing.assert_allclose(found, decoders[K][1](torch.from_numpy(z)).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("command", "message", "buffers", "error"),
    [
        ("read_graph", "other", [], "expected one of the graphs ['decoder'], got 'other'"),
        ("run_graph", {"graph": "decoder", "inputs": []}, [], "expected inputs of shapes {'z': (1, "),
        ("run_graph", {"graph": "decoder"}, [], "KeyError: 'inputs'"),
        ("run_graph", {"graph": "decoder", "inputs": [{"name": "z", "dims": [1, 2]}]}, [b"0" * 12], "cannot reshape"),
    ],
)
def test_the_kernel_answers_errors_in_words(ask, command, message, buffers, error):
    content, buffers = ask(command, message, buffers)
    assert content.keys() == {"error"}
    assert error in content["error"]
    assert buffers == []


def test_a_changed_graph_is_not_sent(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"changed")
    widget = widgets.LatentPlane(export.Graph(path, "00" * 32, 0.0), CODES, LABELS)
    content, buffers = widget.read_graph("decoder", [])
    assert "is damaged" in content["error"]
    assert buffers == []


def test_the_committed_bundles_are_what_their_sources_give(tmp_path):
    if not (ROOT / "node_modules/.bin/esbuild").exists():
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("esbuild not found: `make widgets` installs it")
    command = ["npm", "run", "--silent", "bundle"]
    made = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OUT": str(tmp_path)}, capture_output=True, encoding="utf-8"
    )
    assert made.returncode == 0, made.stderr
    bundles = [path.relative_to(tmp_path) for path in tmp_path.glob("*/bundle.*")]
    assert len(bundles) == 2 * (len(widgets.__all__) - 2)  # all but the base class and Noise
    for path in bundles:
        committed = ROOT / "gen_utils/page/widgets" / path
        assert committed.read_text(encoding="utf-8") == (tmp_path / path).read_text(encoding="utf-8"), (
            f"{path}: run `make widgets`"
        )


def test_run_refuses_unknown_graphs(widget):
    with pytest.raises(ValueError, match=r"expected one of the graphs \['decoder'\], got 'encoder'"):
        widget.run("encoder")


def test_show_displays_a_picture_and_then_the_widget(widget, monkeypatch):
    shown, before = [], plt.get_fignums()
    monkeypatch.setattr(base, "display", shown.append)
    widget.show()
    assert [type(shown[0]).__name__, shown[1]] == ["Figure", widget]
    assert plt.get_fignums() == before  # closed: no second picture at the cell's end


# Bad input.


@pytest.mark.parametrize(
    "rates",
    [[], [[1.0]], [1.0, math.nan], [math.inf], [-0.1], 3.0],
    ids=["none", "2-d", "nan", "inf", "negative", "0-d"],
)
def test_sliders_refuse_bad_rates(decoders, rates):
    with pytest.raises(ValueError, match="rates: expected one finite, non-negative number a unit, got") as refusal:
        widgets.LatentSliders(decoders[20][0], rates)
    assert str(rates) in str(refusal.value)


def test_a_rate_too_few_is_noticed_before_any_reader_sees_it(decoders):
    with pytest.raises(ValueError, match=r"expected inputs of shapes {'z': \(1, 19\)}, got {'z': \(1, 20\)}"):
        widgets.LatentSliders(decoders[20][0], RATES[1:])


@pytest.mark.parametrize(
    ("codes", "labels", "message"),
    [
        (CODES[:3], LABELS[:2], r"expected codes \(N, 2\) and labels \(N,\), got \(3, 2\) and \(2,\)"),
        (CODES.T, LABELS, r"got \(2, 1000\) and \(1000,\)"),
        (CODES[0], LABELS[:1], r"got \(2,\) and \(1,\)"),
        ([[0.0, math.nan]], [1], "expected finite codes and whole labels 0…9, got .*nan"),
        ([[0.0, math.inf]], [1], "expected finite codes and whole labels 0…9, got .*inf"),
        ([[0.0, 0.0]], [10], r"expected finite codes and whole labels 0…9, got .*\[10\]"),
        ([[0.0, 0.0]], [-1], r"expected finite codes and whole labels 0…9, got .*\[-1\]"),
        ([[0.0, 0.0]], [1.5], r"expected finite codes and whole labels 0…9, got .*\[1.5\]"),
    ],
)
def test_the_plane_refuses_bad_codes_and_labels(decoders, codes, labels, message):
    with pytest.raises(ValueError, match=message):
        widgets.LatentPlane(decoders[2][0], codes, labels)


def test_notebooks_and_pages_use_the_same_runtime():
    locked = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]["onnxruntime-web"]
    assert re.fullmatch(r"https://.*/onnxruntime-web@(\d+\.\d+\.\d+)/dist/", base.CDN)[1] == locked
    resolved = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"][
        "node_modules/onnxruntime-web"
    ]
    assert resolved["version"] == locked


def test_no_widget_leans_on_the_order_of_keys():
    """Stored notebooks sort the keys of mappings, so what has an order must be a list."""
    classes = [c for c in map(widgets.__dict__.get, widgets.__all__) if issubclass(c, base.GraphWidget)]
    assert len(classes) > 5
    for widget in classes:
        mappings = {
            name for name, trait in widget.class_traits(sync=True).items() if isinstance(trait, traitlets.Dict)
        }
        # The last two are sorted where they are shown.
        assert mappings <= {"graphs", "colours", "sources", "scores"}, widget
