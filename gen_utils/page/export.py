"""From a PyTorch function to a graph that a browser runs, checked against the function it came from.

A graph is an ONNX file of at most 2 MB. `round_to_half` rounds a trained model's weights to numbers that half
precision holds; the file stores such weights in half precision, and the graph itself casts them back. So what a
notebook measures, what the package ships and what the page runs are the same numbers.

Noise is always an input of a graph, never made inside it: a `randn` would become an unseeded node.
"""

import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, numpy_helper
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from gen_utils.data import verify
from gen_utils.output import output_folder
from gen_utils.pretrained import half

MAX_BYTES = 2_000_000
NOISE = ("Random", "Bernoulli", "Multinomial", "Dropout")  # how ONNX's operators that draw numbers begin


@dataclass(frozen=True)
class Graph:
    """An exported function: where its file lies, the digest of its bytes, and how far it is from PyTorch."""

    path: Path
    sha256: str
    error: float = field(compare=False)  # one session serves a file, before and after it was compared

    def read(self) -> bytes:
        """Return the file's bytes, or refuse a file that changed since its export.

        Raises:
            ValueError: its content does not match the digest, or it is larger than a graph may be.
        """
        return verify(self.path, self.sha256, "export it again", MAX_BYTES)

    def run(self, **inputs: np.ndarray | float) -> dict[str, np.ndarray]:
        """Run the graph with onnxruntime: arrays by the names of its inputs, to arrays by those of its outputs.

        A number is given as an array of shape `(1,)`, float32.

        Raises:
            ValueError: the file changed before its first run, or the inputs are not the graph's.
        """
        given = {key: np.array([value], np.float32) if np.isscalar(value) else value for key, value in inputs.items()}
        if self.inputs != (shapes := {name: np.shape(value) for name, value in given.items()}):
            raise ValueError(f"{self.path.name}: expected inputs of shapes {self.inputs}, got {shapes}")
        return dict(zip(self.outputs, _session(self).run(None, given), strict=True))

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input, by its name."""
        return {given.name: tuple(given.shape) for given in _session(self).get_inputs()}

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of each output, by its name."""
        return {given.name: tuple(given.shape) for given in _session(self).get_outputs()}


@cache
def _session(graph: Graph) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph.read(), providers=["CPUExecutionProvider"])


def round_to_half(model: nn.Module) -> None:
    """Round every parameter, in place, to the nearest number that half precision can hold; beyond, a `ValueError`."""
    halved = [half(name, parameter) for name, parameter in model.named_parameters()]
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), halved, strict=True):
            parameter.copy_(value)


def export(
    function: Callable[..., Tensor | tuple[Tensor, ...]],
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    name: str,
    *,
    tolerance: float = 1e-4,
) -> Graph:
    """Write `function` as the graph `models/<name>.onnx` of the output folder, and compare the two.

    Args:
        function: takes the inputs in order; their device is the one it runs on.
        inputs: example values by name; the graph keeps their shapes.
        outputs: names of what it returns.
        name: of the file, without ending: chapter, model and part.
        tolerance: largest difference allowed between PyTorch and onnxruntime on the example inputs.

    Raises:
        ValueError: the graph differs from the function, draws noise of its own, or is larger than 2 MB.
    """
    wrapped = _Function(function)
    examples = tuple(value.detach() for value in inputs.values())
    with _quiet():
        program = torch.onnx.export(
            wrapped,
            examples,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # only the legacy exporter returns nothing
    ClearMetadataAndDocStringPass()(program.model)  # what it says of the exporter's disk and of line numbers
    model = _store_in_half(program.model_proto)
    random = {node.op_type for node in model.graph.node if node.op_type.startswith(NOISE)}
    if random:
        raise ValueError(f"{name}: expected noise as an input of the graph, found {sorted(random)} in it")
    content = model.SerializeToString()
    if len(content) > MAX_BYTES:
        raise ValueError(
            f"{name}: expected a graph of at most {MAX_BYTES} bytes, got {len(content)}; round_to_half halves weights"
        )
    path = output_folder() / "models" / f"{name}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    graph = Graph(path, hashlib.sha256(content).hexdigest(), error=0.0)
    with torch.no_grad():
        expected = wrapped(*examples)
    expected = expected if isinstance(expected, tuple) else (expected,)
    found = graph.run(**{key: value.numpy(force=True) for key, value in zip(inputs, examples, strict=True)})
    errors = [
        np.abs(found[key] - value.numpy(force=True)).max() for key, value in zip(outputs, expected, strict=True)
    ]
    error = float(np.max(errors))  # numpy's, since Python's max loses a NaN that is not the first
    if not error <= tolerance:
        raise ValueError(f"{name}: expected the graph within {tolerance:g} of PyTorch, got {error:.3g}")
    return replace(graph, error=error)


@contextmanager
def _quiet() -> Iterator[None]:
    # The exporter warns of its own deprecations and of packages that nothing here uses.
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class _Function(nn.Module):
    """A function as the module that the exporter asks for; weights that it closes over become constants."""

    def __init__(self, function: Callable[..., Tensor | tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.function(*args)


def _store_in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    # Only where nothing is lost: the weights of a rounded model, never a schedule, nor a constant such as Adam's ε
    # (1e-7 is 1.2e-7 in half precision); and only where a cast costs less than it saves.
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < 512:
            continue
        single = numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = numpy_helper.from_array(single.astype(np.float16), weight.name + "_half")
        if not np.array_equal(numpy_helper.to_array(half), single):
            continue
        casts.append(onnx.helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT))
        weight.CopyFrom(half)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model
