"""Lay out what `make benchmark` measured: `{benchmark} vae`, or `{benchmark} all` for one line a family.

No number stands on the page twice: all of them are read from the JSON when the book is built.
"""

import ast
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = "gen_utils/benchmarks"
OURS = "gen_utils"
NAMES = {
    OURS: "**this course**",
    "zuko, NSF": "zuko's spline flow",
    "zuko, MAF": "zuko's masked flow",
    "pythae": "pythae's VAE as it comes",
    "pythae, lr 1e-3": "pythae's VAE, ten times the learning rate",
    "beta": "fixed at $\\beta_t$",
    "beta_tilde": "fixed at $\\tilde\\beta_t$",
    "learned": "**learned**",
    "kde-mnist": "KDE of MNIST",
    "bernoulli-mnist": "mixture of Bernoullis on MNIST",
}
Rows = list[dict[str, Any]]


class Layout(NamedTuple):
    """A family's table, what to notice in it, and its line in the table of all."""

    head: list[str]
    body: list[list[str]]
    notice: str
    # What is compared (↓ less is better, ↑ more is), our number, the best peer's, and the peer.
    line: list[str]


def mixtures(rows: Rows) -> Layout:
    """Give each task a line, ours and scikit-learn's side by side."""
    ours, theirs = ({row["task"]: row for row in rows if row["model"] == who} for who in (OURS, "sklearn"))
    faster = [theirs[task]["seconds"] / ours[task]["seconds"] for task in theirs]
    apart = max(abs(theirs[task]["log_likelihood"] / ours[task]["log_likelihood"] - 1) for task in theirs)

    def cells(row: dict[str, Any] | None) -> list[str]:
        if row is None:
            return ["–", "–"]
        added = row["megabytes_peak"] - row["megabytes_before"]  # none, where the data took more before
        return [f"{row['seconds']:.2f}", f"{added:,.0f}" if added else "–"]

    return Layout(
        ["", "**ours**, seconds ↓", "memory, MB ↓", "scikit-learn, seconds ↓", "memory, MB ↓"],
        [[described(task), *cells(row), *cells(theirs.get(task))] for task, row in ours.items()],
        f"Both find the same log-likelihood, to a share of {apart:.0e}, so only time and memory can differ. Ours is "
        f"{min(faster):.1f} to {max(faster):.1f} times as fast, and pays with memory for kernels.",
        [
            f"mixtures and KDE: seconds for {len(theirs)} tasks with one result ↓",
            *(f"{sum(by[task]['seconds'] for task in theirs):.1f}" for by in (ours, theirs)),
            "scikit-learn",
        ],
    )


def described(task: str) -> str:
    """Say what a task of the mixtures is, with the sizes that stand in its program."""
    program = ROOT / "benchmarks/mixtures.py"
    if size := constant(program, "MIXTURES").get(task):
        return f"EM: {size[0]:,} points in {size[1]} dimensions, {size[2]} components"
    if size := constant(program, "KDES").get(task):
        return f"KDE: {size[1]:,} queries of {size[0]:,} kernels in {size[2]} dimensions"
    return NAMES[task]


def flows(rows: Rows) -> Layout:
    """Give each density a column."""
    densities = distinct(rows, "density")
    by = {model: {row["density"]: row for row in rows if row["model"] == model} for model in distinct(rows, "model")}
    means = {model: mean(row["divergence"] for row in found.values()) for model, found in by.items()}
    ours, closest = by[OURS], min((m for m in by if m != OURS), key=lambda m: means[m])
    ahead = [
        density
        for density, row in by[closest].items()
        if row["divergence"] - ours[density]["divergence"] > 3 * together(row, ours[density])
    ]
    return Layout(
        ["", *(f"{density}: KL, nats ↓" for density in densities), "parameters"],
        [
            [
                NAMES[model],
                *(f"{by[model][d]['divergence']:.4f} ± {by[model][d]['standard_error']:.4f}" for d in densities),
                f"{by[model][densities[0]]['parameters']:,}",
            ]
            for model in sorted(by, key=lambda m: means[m])
        ],
        f"Closest to ours comes {NAMES[closest]}, which bends in the same way: the two differ by more than three "
        f"standard errors {'only on the ' + listed(ahead) if ahead else 'nowhere'}.",
        [
            f"flow: KL from a known density, mean of {len(densities)}, nats ↓",
            f"{means[OURS]:.4f}",
            f"{means[closest]:.4f}",
            NAMES[closest],
        ],
    )


def vae(rows: Rows) -> Layout:
    """Put the tighter bound first."""
    ours, best = first_two(rows, "bound", highest=True)
    return Layout(
        ["", "$-\\mathcal L_{500}$, nats ↓", "−ELBO, nats ↓", "images a second ↑", "parameters"],
        [
            [
                NAMES[row["model"]],
                f"{-row['bound']:.2f} ± {row['standard_error']:.2f}",
                f"{-row['elbo']:.2f}",
                f"{row['images_per_second']:,.0f}",
                f"{row['parameters']:,}",
            ]
            for row in rows
        ],
        f"In {ours['seconds']:.0f} seconds this course's VAE sees "
        f"{ours['images_per_second'] / best['images_per_second']:.1f} times as many images as the better of the two "
        f"others, and its bound is {ours['bound'] - best['bound']:.1f} ± {together(ours, best):.1f} nats higher.",
        [
            "VAE: nats for a digit, $-\\mathcal L_{500}$ ↓",
            f"{-ours['bound']:.1f}",
            f"{-best['bound']:.1f}",
            NAMES[best["model"]],
        ],
    )


def gan(rows: Rows) -> Layout:
    """Judge after a quarter of the time and after all of it, over the seeds."""
    first, last = (end(row["share"] for row in rows) for end in (min, max))
    recipe = next(model for model in distinct(rows, "model") if model != OURS)
    found = {
        (model, share, key): [row[key] for row in rows if (row["model"], row["share"]) == (model, share)]
        for model in (OURS, recipe)
        for share in (first, last)
        for key in ("grey", "bernoulli", "parameters")
    }
    columns = [(first, "grey"), (last, "grey"), (last, "bernoulli")]
    ours, theirs = found[OURS, last, "grey"], found[recipe, last, "grey"]
    more = found[recipe, last, "parameters"][0] / found[OURS, last, "parameters"][0]
    return Layout(
        [
            "",
            f"Fréchet, grey, after {100 * first:.0f} % of the time ↓",
            "after all ↓",
            "black and white ↓",
            "parameters",
        ],
        [
            [
                NAMES.get(model, model),
                *(spread(found[model, *column]) for column in columns),
                f"{found[model, last, 'parameters'][0]:,}",
            ]
            for model in (OURS, recipe)
        ],
        f"The mean of {len(ours)} seeds, and in brackets the best and the worst. The recipe has {more:.1f} times as "
        f"many parameters, and its best seed is {min(theirs) / max(ours):.0f} times farther from real digits than "
        "our worst. Seeds scatter, as they do in every GAN.",
        ["GAN: Fréchet distance of digits, grey ↓", f"{mean(ours):.1f}", f"{mean(theirs):.1f}", recipe],
    )


def gan_toys(rows: Rows) -> Layout:
    """Set our games above what papers report."""
    published = constant(ROOT / "benchmarks/gan_toys.py", "PUBLISHED")
    by = {(row["density"], row["model"]): row for row in rows}
    games, papers = distinct(rows, "model"), dict.fromkeys(who for _, who in published)
    keys = [(density, key) for density in ("ring", "grid") for key in ("modes", "quality")]
    best = max(games, key=lambda game: by["grid", game]["modes"])
    theirs = max(papers, key=lambda who: published["grid", who][0])
    ours_found, theirs_found = by["grid", best]["modes"], published["grid", theirs][0]
    sharpest = max(papers, key=lambda who: published["grid", who][1])
    whole = [game for game in games if by["ring", game]["modes"] == 8]
    return Layout(
        ["", "ring: modes of 8 ↑", "high quality, % ↑", "grid: modes of 25 ↑", "high quality, % ↑"],
        [
            [f"**{game}**", *(f"{by[d, game][key]:.1f} ± {by[d, game][key + '_deviation']:.1f}" for d, key in keys)]
            for game in games
        ]
        + [[who, *(f"{number:g}" for d in ("ring", "grid") for number in published[d, who])] for who in papers],
        f"Bold: ours, three seeds, ± their standard deviation. On the ring {listed(whole)} find all modes with each "
        f"seed; on the grid {best} finds {ours_found:.1f} of 25, {theirs} {theirs_found:g}. The sharpest samples "
        f"there are those of {sharpest}, from larger networks and many more steps: "
        "[chapter 5](../notebooks/05_gans.ipynb#four-games-on-a-ring-and-a-grid) has the fine print.",
        ["GAN in the plane: modes found of 25 ↑", f"{ours_found:.1f}", f"{theirs_found:g}", f"{theirs}, published"],
    )


def diffusion(rows: Rows) -> Layout:
    """Order by the sampler's steps, of which everybody has as many."""
    fewest = min(row["steps"] for row in rows)
    ours, best = first_two([row for row in rows if row["steps"] == fewest], "grey", highest=False)
    return Layout(
        ["", "steps", "Fréchet, grey ↓", "black and white ↓", "sampling, seconds ↓", "peak, % ↑", "parameters"],
        [
            [
                NAMES.get(row["model"], row["model"]),
                f"{row['steps']}",
                f"{row['grey']:.1f}",
                f"{row['bernoulli']:.1f}",
                f"{row['sampling_seconds']:,.0f}",
                f"{100 * row['share_of_peak']:.0f}",
                f"{row['parameters']:,}",
            ]
            for row in rows
        ],
        f"After {ours['seconds']:.0f} seconds of training each, ours is {best['grey'] / ours['grey']:.1f} times "
        f"nearer to real digits than the best peer with {fewest} steps. The libraries' networks are made for larger "
        "images and longer training, and here they get neither.",
        [
            f"diffusion: Fréchet distance of digits, grey, {fewest} steps ↓",
            f"{ours['grey']:.1f}",
            f"{best['grey']:.1f}",
            best["model"],
        ],
    )


def diffusion_variance(rows: Rows) -> Layout:
    """Average each variance over the seeds."""
    digits = {"bits_1000": 4, "bits_50": 4, "grey_10": 1, "grey_25": 1}
    found = {
        model: {key: [row[key] for row in rows if row["model"] == model] for key in digits}
        for model in distinct(rows, "model")
    }
    fixed, sharpest = (
        min(among, key=lambda model: mean(found[model][key]))
        for among, key in (([model for model in found if model != "learned"], "bits_50"), (found, "grey_10"))
    )
    return Layout(
        ["variance", "bits/dim, 1000 steps ↓", "50 steps ↓", "Fréchet, grey, 10 steps ↓", "25 steps ↓"],
        [
            [NAMES[model], *(f"{mean(own[k]):.{d}f} ± {stdev(own[k]):.{d}f}" for k, d in digits.items())]
            for model, own in found.items()
        ],
        f"{len(found[fixed]['bits_50'])} networks, each under all three, ± the standard deviation over them. The "
        "learned variance has the best bound; with few steps "
        f"the one {NAMES[sharpest].strip('*')} draws best. A bound and the looks of samples are two questions, and "
        "[chapter 6](../notebooks/06_diffusion.ipynb#what-is-it-worth) asks both.",
        [
            "variance of a step back: bits/dim, 50 steps ↓",
            *(f"{mean(found[model]['bits_50']):.2f}" for model in ("learned", fixed)),
            NAMES[fixed],
        ],
    )


def page(rows: Rows) -> Layout:
    """List what the pages promise, and what was measured."""
    broken = [f"{row['what']} (chapter {row['chapter']})" for row in rows if not row["kept"]]
    return Layout(
        ["chapter, and what was measured", "promised", "found"],
        [
            [
                f"{row['chapter']}: {row['what']}",
                *(f"{row[key]:,g} {row['unit']}".strip() for key in ("promised", "found")),
            ]
            for row in rows
        ],
        f"Not kept: {listed(broken)}." if broken else "All of it is kept.",
        [],
    )


LAYOUTS: dict[str, Callable[[Rows], Layout]] = {
    layout.__name__: layout for layout in (mixtures, flows, vae, gan, gan_toys, diffusion, diffusion_variance)
}


def distinct(rows: Rows, key: str) -> list[str]:
    """List the values of a column, each once, as they appear."""
    return list(dict.fromkeys(row[key] for row in rows))


def first_two(rows: Rows, key: str, highest: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Find our row and the best of the others."""
    (ours,) = [row for row in rows if row["model"] == OURS]
    return ours, (max if highest else min)((row for row in rows if row is not ours), key=lambda row: row[key])


def together(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Compute the standard error of a difference."""
    return (a["standard_error"] ** 2 + b["standard_error"] ** 2) ** 0.5


def spread(values: list[float]) -> str:
    """Write the mean with the lowest and the highest value."""
    return f"{mean(values):.1f} ({min(values):.1f}–{max(values):.1f})"


def listed(words: list[str]) -> str:
    """Join words by commas and an 'and'."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def constant(program: Path, name: str) -> dict[Any, Any]:
    """Read a constant of a program without running it, and PyTorch with it."""
    body = ast.parse(program.read_text(encoding="utf-8")).body
    assignments = {ast.unparse(node.targets[0]): node.value for node in body if isinstance(node, ast.Assign)}
    return ast.literal_eval(assignments[name])


def table(head: list[str], body: list[list[str]]) -> str:
    """Write a table in Markdown, numbers to the right and each in one line."""
    whole = [
        [cell.replace(" ", "\N{NO-BREAK SPACE}") if cell[0].isdigit() else cell for cell in line] for line in body
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---", *["---:"] * (len(head) - 1)], *whole])


def provenance(report: dict[str, Any]) -> str:
    """Say when, where and with what a table was measured, and how to do it again."""
    about, name = report["machine"], report["benchmark"]
    budget = f" BUDGET={report['budget_seconds']:g}" if "budget_seconds" in report else ""
    return (
        f"*{date.fromisoformat(report['date']):%-d %B %Y}, {about['cores']} cores of {about['cpu']}, "
        f"{about['threads']} of PyTorch's threads, load {about['load_before']} before; "
        f"{'on ' + about['gpu'] if about['gpu'] else 'not measured on a GPU'}. "
        f"{', '.join(f'{package} {version}' for package, version in report['versions'].items())}.* "
        f"To measure it again: `make benchmark{budget}`. "
        f"Every row: {{download}}`{name}.json <../{RESULTS}/{name}.json>`."
    )


class Benchmark(SphinxDirective):
    """One family's table, what to notice in it, and how it was measured; or one line for every family."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read the JSON and lay it out."""
        wanted = list(LAYOUTS) if self.arguments[0] == "all" else self.arguments
        reports = {}
        for name in wanted:
            path = ROOT / RESULTS / f"{name}.json"
            self.env.note_dependency(str(path))
            if path.exists():
                reports[name] = json.loads(path.read_text(encoding="utf-8"))
        layouts = {name: (LAYOUTS | {"page": page})[name](report["rows"]) for name, report in reports.items()}
        if self.arguments[0] == "all":
            lines = {name: layout.line for name, layout in layouts.items()}
            body = [[f"[{what}](#benchmark-{name})", f"**{n}**", *peer] for name, (what, n, *peer) in lines.items()]
            return self.parse_text_to_nodes(table(["", "**ours**", "best peer", "which"], body))
        texts = [
            f"{table(layout.head, layout.body)}\n\n{layout.notice}\n\n{provenance(reports[name])}"
            for name, layout in layouts.items()
        ]
        return self.parse_text_to_nodes("\n".join(texts) or "*Not measured yet.*")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("benchmark", Benchmark)
    return {"parallel_read_safe": True}
