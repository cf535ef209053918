"""The Python half of every widget: it holds exported graphs, and answers the page about them in a live notebook."""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import matplotlib.pyplot as plt
import numpy as np
import traitlets
from anywidget.experimental import command
from IPython.display import display
from torch import Tensor

from gen_utils import plots
from gen_utils.base import batch
from gen_utils.page.export import Graph
from gen_utils.page.graphs.drawing import FIELD, SIDE

# Where onnxruntime-web comes from outside the published page, which serves its own copy of this version.
CDN = "https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/"


Answer = tuple[dict[str, Any], list[bytes]]  # JSON and buffers, as anywidget's commands return them


class GraphWidget(anywidget.AnyWidget):
    """A widget whose arithmetic is exported graphs, run by the browser or, failing that, by this kernel.

    Its state holds each graph's file name and digest, never its weights: the published page fetches the file,
    a live notebook asks for its bytes. A subclass has a folder of its own, with `index.js` and `style.css`, which
    `make widgets` bundles; it sets `_esm, _css = bundle(__file__)`.

    Args:
        graphs: the graphs by the names that `index.js` uses.
        **state: values of the subclass's traits.
    """

    graphs = traitlets.Dict().tag(sync=True)
    colours = traitlets.Dict(plots.COLOURS).tag(sync=True)
    cdn = traitlets.Unicode(CDN).tag(sync=True)

    def __init__(self, graphs: Mapping[str, Graph], **state: Any) -> None:
        self._graphs = dict(graphs)
        files = {name: {"file": graph.path.name, "sha256": graph.sha256} for name, graph in graphs.items()}
        super().__init__(graphs=files, **state)

    def __repr__(self) -> str:
        """Name the class alone: the same text after every run."""
        return f"{type(self).__name__}()"

    def run(self, graph: str, **inputs: np.ndarray | float) -> dict[str, np.ndarray]:
        """Run one of the widget's graphs here, with onnxruntime.

        Raises:
            ValueError: the widget has no graph of that name.
        """
        return self._graph(graph).run(**inputs)

    def show(self) -> None:
        """Display a line of text as a picture, then the widget, which hides the picture once it lives.

        `make execute` replaces the picture by a screenshot of the widget: its poster.
        """
        figure, ax = plots.figure(height=0.4)
        ax.axis("off")
        ax.text(0.5, 0.5, "The widget appears here when it has loaded.", ha="center", va="center", fontsize=8)
        display(figure)
        plt.close(figure)
        display(self)

    def _graph(self, name: str) -> Graph:
        if name not in self._graphs:
            raise ValueError(f"expected one of the graphs {sorted(self._graphs)}, got {name!r}")
        return self._graphs[name]

    @command
    def read_graph(self, name: str, _: list[memoryview]) -> Answer:
        """Answer the page with the bytes of a graph."""
        return _or_error(lambda: ({}, [self._graph(name).read()]))

    @command
    def run_graph(self, message: dict[str, Any], buffers: list[memoryview]) -> Answer:
        """Run a graph for a page that can't: float32 arrays travel as buffers, their names and shapes as text."""

        def answer() -> Answer:
            inputs = {
                given["name"]: np.frombuffer(data, np.float32).reshape(given["dims"])
                for given, data in zip(message["inputs"], buffers, strict=True)
            }
            found = self.run(message["graph"], **inputs)
            outputs = [{"name": name, "dims": list(value.shape)} for name, value in found.items()]
            return {"outputs": outputs}, [value.tobytes() for value in found.values()]

        return _or_error(answer)


def _or_error(answer: Callable[[], Answer]) -> Answer:
    # The page shows an error's text; an exception would only reach the kernel's log.
    try:
        return answer()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}, []


class DrawingWidget(GraphWidget):
    """A widget with a pad to draw on, which begins with an example.

    Args:
        graphs: as `GraphWidget` takes them; `prepare` turns a drawing, `ink`, `(1, 1, 280, 280)`, into an image, `x`,
            `(1, 1, 28, 28)`.
        examples: images that a reader may begin with, `(n, 1, 28, 28)` in [0, 1].
        **state: values of the subclass's traits.
    """

    examples = traitlets.Unicode().tag(sync=True)
    example = traitlets.Int(0).tag(sync=True)

    def __init__(self, graphs: Mapping[str, Graph], examples: Tensor, **state: Any) -> None:
        super().__init__(graphs, examples=images_to_text("examples", examples), **state)

    def drawing(self) -> np.ndarray:
        """Enlarge the example that the pad begins with to a drawing, `(1, 1, 280, 280)` in [0, 1]."""
        pixel = np.ones((1, SIDE // FIELD, SIDE // FIELD), dtype=np.float32)
        return np.kron(images_from_text(self.examples)[self.example], pixel)[None]

    def prepared(self) -> np.ndarray:
        """Prepare the example that the pad begins with, `(1, 1, 28, 28)`."""
        return self.run("prepare", ink=self.drawing())["x"]


def bundle(module: str) -> tuple[str, str]:
    """Read the JavaScript and CSS that `make widgets` bundled beside `module`, the `__file__` of a widget."""
    folder = Path(module).parent
    return (folder / "bundle.js").read_text("utf-8"), (folder / "bundle.css").read_text("utf-8")


def check_shapes(
    graph: Graph, inputs: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[int, ...]] | None = None
) -> None:
    """Check the names and shapes of a graph's inputs and, where they are given, of its outputs.

    Raises:
        ValueError: other names or shapes.
    """
    for kind, found, expected in (("inputs", graph.inputs, inputs), ("outputs", graph.outputs, outputs)):
        if expected is not None and found != expected:
            raise ValueError(f"{graph.path.name}: expected {kind} of shapes {dict(expected)}, got {found}")


def class_names(classes: Sequence[str]) -> list[str]:
    """List the names of classes.

    Raises:
        ValueError: no classes, or two of the same name.
    """
    if not len(classes) or len(set(classes)) < len(classes):
        raise ValueError(f"classes: expected names that are all different, got {classes!r}")
    return list(classes)


def images_to_text(name: str, images: Tensor) -> str:
    """Write images `(N, 1, 28, 28)` in [0, 1] as base64 of a byte a pixel, which `imageBytes` in images.js reads.

    Raises:
        TypeError: not a tensor of floating-point numbers.
        ValueError: another shape, or values outside [0, 1].
    """
    values = batch(name, images, (1, FIELD, FIELD), (0.0, 1.0)).numpy(force=True)
    return base64.b64encode((255 * values).round().astype(np.uint8).tobytes()).decode()


def images_from_text(text: str) -> np.ndarray:
    """Read what `images_to_text` wrote: `(N, 1, 28, 28)` float32 in [0, 1]."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 1, FIELD, FIELD) / np.float32(255)
