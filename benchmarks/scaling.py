"""How fast two processes train beside one, and how long gradients travel: the two tables of `book/scaling.md`.

`make scaling` measures for about four minutes on a machine with nothing else to do, writes
`benchmarks/scaling.json`, and puts its tables into the page. Each measurement is a `torchrun` of this file.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import torch
from accelerate import Accelerator

from benchmarks.run import machine
from gen_utils.distributed.training import Batches, examples, updates
from gen_utils.recipes import RECIPES

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PAGE = ROOT / "benchmarks/scaling.json", ROOT / "book/scaling.md"
MODELS = {"plane": 300, "made": 200, "gan": 200, "unet": 200}  # how many updates are timed
WAYS = {"one": (1, 1), "threads": (1, 2), "processes": (2, 1)}  # processes, and threads of each
LINKS = {
    "1 Gbit/s Ethernet": 0.125e9,
    "10 Gbit/s Ethernet": 1.25e9,
    "PCIe 4.0 ×16": 32e9,
    "NVLink 4": 450e9,
}  # bytes/s


def main() -> None:
    """Measure, keep and show; or, with a model's name, be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.model:
        time(arguments.model, arguments.threads)
        return
    about = machine()
    del about["threads"]
    rows = [row(name) for name in MODELS]
    versions = {"python": platform.python_version(), "torch": version("torch"), "accelerate": version("accelerate")}
    date = datetime.now(UTC).date().isoformat()
    report = {"benchmark": "scaling", "date": date, "machine": about, "versions": versions, "rows": rows}
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")


def row(name: str) -> dict:
    """Measure a model in each of the ways, twice, and keep the faster run of each."""
    parameters = sum(p.numel() for p in RECIPES[name].model().parameters())
    fastest = {way: max(launch(name, *how) for _ in range(2)) for way, how in WAYS.items()}
    return {
        "model": name,
        "parameters": parameters,
        "batch_size": RECIPES[name].batch_size,
        "images_per_second": fastest,
    }


def launch(name: str, processes: int, threads: int) -> float:
    """Start the processes and return the images that they train on in a second."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "benchmarks.scaling", "--model", name, "--threads", str(threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return round(float(done.stdout.split()[-1]), 1)


def time(name: str, threads: int) -> None:
    """Train in this process, and print images a second if it is the first."""
    torch.set_num_threads(threads)
    accelerator = Accelerator(cpu=True)
    recipe = RECIPES[name]
    torch.manual_seed(0)
    batches = Batches(*examples(recipe, "mnist"), recipe, 0, accelerator)
    update = updates(recipe.model(), batches, recipe, accelerator)
    for number in range(1, 21):  # the first ones allocate
        update(number)
    start = perf_counter()
    for number in range(21, 21 + MODELS[name]):
        update(number)
    accelerator.print(MODELS[name] * recipe.batch_size / (perf_counter() - start))
    accelerator.end_training()


def measured(report: dict) -> str:
    """Lay out what was measured, as a Markdown table."""
    lines = [
        "| model | weights | batch | one core | two threads | two processes | two processes against one |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in report["rows"]:
        speed = row["images_per_second"]
        cells = [f"{row['parameters']:,}", row["batch_size"], *(f"{speed[way]:,.0f}" for way in WAYS)]
        lines.append(
            f"| `{row['model']}` | {' | '.join(map(str, cells))} | × {speed['processes'] / speed['one']:.2f} |"
        )
    about = report["machine"]
    lines += [
        "",
        f"*Images a second. Measured on {about['cores']} processor cores ({about['cpu']}), {report['date']}, PyTorch "
        f"{report['versions']['torch']}, 🤗 Accelerate {report['versions']['accelerate']}, gloo.*",
    ]
    return "\n".join(lines)


def computed(report: dict) -> str:
    """Compute how long the gradients of an update are under way between two machines, as a Markdown table."""
    lines = [
        f"| model | gradient, MB | {' | '.join(LINKS)} | an update on one core, measured |",
        f"|---|---:|{'---:|' * len(LINKS)}---:|",
    ]
    for row in report["rows"]:
        size = 4 * row["parameters"]
        update = row["batch_size"] / row["images_per_second"]["one"]
        cells = [f"{size / 1e6:.2f}", *(milliseconds(travel(size, 2, rate)) for rate in LINKS.values())]
        lines.append(f"| `{row['model']}` | {' | '.join(cells)} | {milliseconds(update)} |")
    return "\n".join(lines)


def travel(size: float, processes: int, rate: float) -> float:
    """Compute how long a ring all-reduce takes at `rate` bytes a second: each process sends 2 (W − 1)/W of `size`."""
    return 2 * (processes - 1) / processes * size / rate


def milliseconds(seconds: float) -> str:
    """Write a duration with two digits."""
    number = f"{1000 * seconds:.2g}" if seconds < 0.1 else f"{1000 * seconds:.0f}"
    return f"{number}\N{NO-BREAK SPACE}ms"


def filled(page: str, report: dict) -> str:
    """Put both tables between their marks."""
    for name, table in (("measured", measured(report)), ("computed", computed(report))):
        mark = f"% {name}: written by python -m benchmarks.scaling\n"
        pattern = re.compile(rf"(?<={re.escape(mark)}\n).*?(?=\n\n% end of {name})", re.DOTALL)
        page, found = pattern.subn(lambda _, table=table: table, page)
        assert found == 1, name
    return page


if __name__ == "__main__":
    main()
