"""The Python half of runtime.js: a widget that holds exported graphs and answers for them in a live notebook."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import matplotlib.pyplot as plt
import numpy as np
import traitlets
from IPython.display import display
from matplotlib.figure import Figure
from torch import Tensor

from gen_utils.base import batch
from gen_utils.page.drawing import FIELD, SIDE
from gen_utils.page.export import Graph
from gen_utils.plots import COLOURS

FOLDER = Path(__file__).parent
# Where onnxruntime-web comes from outside the published page, which serves its own copy of this version.
CDN = "https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/"


class GraphWidget(anywidget.AnyWidget):
    """A widget whose arithmetic is exported graphs, run by the browser or, failing that, by this kernel.

    Its state holds each graph's file name and digest, never its weights: the published page fetches the file,
    a live notebook asks for its bytes. A subclass names its own ESM with `esm("name.js")` and, if it needs any, more
    style with `css("name.css")`, and draws its `poster`.

    Args:
        graphs: the graphs by the names that the ESM calls them.
        **state: values of the subclass's traits.
    """

    _css: Path | str = FOLDER / "../lib/base.css"
    graphs = traitlets.Dict().tag(sync=True)
    colours = traitlets.Dict(COLOURS).tag(sync=True)
    cdn = traitlets.Unicode(CDN).tag(sync=True)

    def __init__(self, graphs: Mapping[str, Graph], **state: Any) -> None:
        self._graphs = dict(graphs)
        files = {name: {"file": graph.path.name, "sha256": graph.sha256} for name, graph in graphs.items()}
        super().__init__(graphs=files, **state)
        self.on_msg(self._answer)

    def __repr__(self) -> str:
        """Name the class alone: the same text after every run."""
        return f"{type(self).__name__}()"

    def run(self, graph: str, **inputs: np.ndarray | float) -> dict[str, np.ndarray]:
        """Run one of the widget's graphs here, with onnxruntime.

        Raises:
            ValueError: the widget has no graph of that name.
        """
        return self._graph(graph).run(**inputs)

    def poster(self) -> Figure:
        """Draw the widget as it first appears, for readers that run neither kernel nor JavaScript."""
        raise TypeError(f"{type(self).__name__} has no poster")

    def show(self) -> None:
        """Display the poster, then the widget, which hides the poster once it lives."""
        figure = self.poster()
        display(figure)
        plt.close(figure)
        display(self)

    def _graph(self, name: str) -> Graph:
        if name not in self._graphs:
            raise ValueError(f"expected one of the graphs {sorted(self._graphs)}, got {name!r}")
        return self._graphs[name]

    def _answer(self, _: object, question: dict[str, Any], buffers: list[memoryview]) -> None:
        # Whatever goes wrong travels back as text: an exception here would only reach the kernel's log.
        try:
            if question["ask"] == "bytes":
                self.send({"id": question["id"]}, [self._graph(question["graph"]).read()])
                return
            if question["ask"] != "run":
                raise ValueError(f'expected a question for "bytes" or "run", got {question["ask"]!r}')
            inputs = {
                given["name"]: np.frombuffer(data, np.float32).reshape(given["dims"])
                for given, data in zip(question["inputs"], buffers, strict=True)
            }
            found = self.run(question["graph"], **inputs)
            outputs = [{"name": name, "dims": list(value.shape)} for name, value in found.items()]
            self.send({"id": question["id"], "outputs": outputs}, [value.tobytes() for value in found.values()])
        except Exception as error:
            self.send({"id": question.get("id"), "error": f"{type(error).__name__}: {error}"})


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


def esm(*names: str) -> str:
    """Join runtime.js and a widget's own files, in this order, to the one module that anywidget loads."""
    return "".join((FOLDER / name).read_text() for name in ("../lib/runtime.js", *names))


def css(*names: str) -> str:
    """Join runtime.css and a widget's own files, in this order, to its style sheet."""
    return "".join((FOLDER / name).read_text() for name in ("../lib/base.css", *names))


def check_shapes(
    graph: Graph, inputs: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[int, ...]] | None = None
) -> None:
    """Say so if a graph takes something else than it should, or gives it, where that is told.

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
    """Write images `(N, 1, 28, 28)` in [0, 1] as base64 of a byte a pixel, which `imageBytes` in runtime.js reads.

    Raises:
        TypeError: not a tensor of floating-point numbers.
        ValueError: another shape, or values outside [0, 1].
    """
    values = batch(name, images, (1, FIELD, FIELD), (0.0, 1.0)).numpy(force=True)
    return base64.b64encode((255 * values).round().astype(np.uint8).tobytes()).decode()


def images_from_text(text: str) -> np.ndarray:
    """Read what `images_to_text` wrote: `(N, 1, 28, 28)` float32 in [0, 1]."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 1, FIELD, FIELD) / np.float32(255)
