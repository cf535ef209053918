"""Compare each model of the course with its peers at equal wall time, and write the results down.

`make benchmark` runs this in an environment of its own, which holds the peers, on a machine with nothing else to
do: about a quarter of an hour for each family on two cores at BUDGET=60.
"""

import argparse
import hashlib
import json
import math
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks import diffusion, diffusion_variance, flows, gan, gan_toys, mixtures, vae

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = {
    "vae": vae,
    "flows": flows,
    "mixtures": mixtures,
    "gan": gan,
    "gan_toys": gan_toys,
    "diffusion": diffusion,
    "diffusion_variance": diffusion_variance,
}


def main() -> None:
    """Run every family, print its table and write its JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=seconds, default=60.0, help="seconds of training for each model")
    parser.add_argument("--quick", action="store_true", help="judge on 200 test images instead of all 10,000")
    parser.add_argument("--without-peers", action="store_true", help="our own models only")
    parser.add_argument("--family", choices=FAMILIES, action="append", help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, help="where to write (a full run: gen_utils/benchmarks)")
    arguments = parser.parse_args()
    peers = not arguments.without_peers
    full = peers and not arguments.quick
    out = arguments.out or ROOT / ("gen_utils/benchmarks" if full else "_build/benchmark-results")
    chosen = {name: FAMILIES[name] for name in arguments.family or FAMILIES}
    for family in chosen.values():
        if peers and (missing := [peer for peer in family.PEERS if find_spec(peer) is None]):
            parser.error(f"not installed here: {', '.join(missing)}. `make benchmark` brings its own environment")
    out.mkdir(parents=True, exist_ok=True)
    for name, family in chosen.items():
        about = machine()  # before the training: the load should be other people's
        images = 200 if arguments.quick else 10_000
        rows = family.rows(arguments.budget, images, peers)
        report = {
            "benchmark": name,
            "date": datetime.now(UTC).date().isoformat(),
            "budget_seconds": arguments.budget,
            "test_images": images,
            "machine": about,
            "versions": {"python": platform.python_version()}
            | {
                package: version(package) for package in ("torch", "numpy", *(family.PEERS.values() if peers else ()))
            },
            "code": digest(),
            "rows": rows,
        }
        (out / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        print(table(report))


def seconds(text: str) -> float:
    """Read a positive number."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number of seconds, got {text}")
    return value


def machine() -> dict[str, str | int | float | None]:
    """Name the processor, its cores, the threads that PyTorch uses, the GPU, and the load before the run."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load_before": round(os.getloadavg()[0], 2),
    }


def digest() -> dict[str, str | list[str]]:
    """Name the files of `gen_utils` that this process has imported, and the sha256 of all of them in a row."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "gen_utils"]
    files = sorted(Path(module.__file__).relative_to(ROOT) for module in modules)
    together = b"".join((ROOT / file).read_bytes() for file in files)
    return {"sha256": hashlib.sha256(together).hexdigest(), "files": [str(file) for file in files]}


def table(report: dict) -> str:
    """Lay the rows out as text, one line a model."""
    about = report["machine"]
    lines = [
        f"{report['benchmark']}: {report['budget_seconds']:g} s of training, {report['test_images']} test images; "
        f"{about['gpu'] or about['cpu']}, {about['threads']} threads, load before {about['load_before']}; torch "
        + report["versions"]["torch"],
        FAMILIES[report["benchmark"]].HEADER,
        *map(FAMILIES[report["benchmark"]].line, report["rows"]),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
