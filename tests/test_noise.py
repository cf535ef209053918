"""The widgets' noise: the same in Python and JavaScript, bit for bit, and as random as it should be."""

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from scipy import stats

from gen_utils.page.noise import _log
from gen_utils.page.widgets import Noise

MODULE = ROOT / "gen_utils/page/lib/noise.js"

NODE = Path(sys.executable).with_name("node")
SIZES = [1, 2, 7, 100, 0, 3]
# Logarithms, and for each seed one stream: normal numbers in lots of odd and even size, a uniform number after each.
SCRIPT = """
const { Noise } = await import(process.argv[2]);
const hex = (view) => Buffer.from(view.buffer).toString("hex");
const [seeds, sizes, numbers] = JSON.parse(process.argv[1]);
const streams = seeds.map((seed) => {
  const noise = new Noise(seed);
  return sizes.map((n) => [hex(noise.normal(n)), hex(Float64Array.of(noise.uniform()))]);
});
console.log(JSON.stringify([streams, hex(Float64Array.from(numbers, Noise.log))]));
"""


def test_python_and_javascript_agree_bit_for_bit():
    # Seeds of more than 32 bits and negative ones count by their lowest 32 bits in both.
    seeds = [0, 1, 2, 42, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 - 1, -1]
    chance = random.SystemRandom()
    seeds += [chance.randrange(2**32) for _ in range(10)]
    numbers = [2**-64, 0.35, 0.7, 1 - 2**-53, *(chance.random() ** 4 + 2**-64 for _ in range(1000))]
    run = subprocess.run(
        [NODE, "--input-type=module", "-e", SCRIPT, json.dumps([seeds, SIZES, numbers]), MODULE],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    streams, logarithms = json.loads(run.stdout)
    assert np.array([_log(x) for x in numbers], "<f8").tobytes().hex() == logarithms
    assert all(math.isclose(_log(x), math.log(x), rel_tol=1e-14) for x in numbers)
    for seed, found in zip(seeds, streams, strict=True):
        noise = Noise(seed)
        for n, (normal, uniform) in zip(SIZES, found, strict=True):
            assert noise.normal(n).astype("<f4").tobytes().hex() == normal, f"seed {seed}"
            assert np.array(noise.uniform(), "<f8").tobytes().hex() == uniform, f"seed {seed}"


@pytest.fixture(scope="module")
def normal():
    return Noise(2024).normal(200_000).astype(float)


@pytest.fixture(scope="module")
def uniform():
    noise = Noise(2024)
    return np.array([noise.uniform() for _ in range(200_000)])


def test_uniform_numbers_are_uniform(uniform):
    assert ((uniform > 0) & (uniform < 1)).all()
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(uniform[1:], uniform[:-1])[0, 1]) < 4 / len(uniform) ** 0.5
    # All 32 bits toss fair coins, the lowest too.
    bits = np.unpackbits((uniform * 2**32).astype(np.uint32).view(np.uint8)).reshape(-1, 32)
    assert (abs(bits.mean(0) - 0.5) < 4.5 * 0.5 / len(bits) ** 0.5).all()


def test_normal_numbers_are_normal(normal):
    n = len(normal)
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    assert abs(normal.mean()) < 4 / n**0.5
    assert abs(normal.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs(stats.skew(normal)) < 4 * (6 / n) ** 0.5
    assert abs(stats.kurtosis(normal)) < 4 * (24 / n) ** 0.5
    # The two numbers of a pair come from one point of a disc, and are independent all the same.
    for shift in (1, 2):
        assert abs(np.corrcoef(normal[shift:], normal[:-shift])[0, 1]) < 4 / n**0.5
        assert abs(np.corrcoef(normal[shift:] ** 2, normal[:-shift] ** 2)[0, 1]) < 4 / n**0.5


def test_far_tails_are_there(normal):
    expected = len(normal) * 2 * stats.norm.sf(3.5)
    assert abs((abs(normal) > 3.5).sum() - expected) < 4 * expected**0.5


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 2), (1, 2**31), (7, 7 + 2**16)])
def test_streams_of_different_seeds_have_nothing_in_common(a, b):
    n = 20_000
    first, second = Noise(a).normal(n), Noise(b).normal(n)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / n**0.5
    assert np.intersect1d(first[:1000], second[:1000]).size == 0


def test_a_seed_repeats_and_lots_join():
    whole = Noise(5).normal(10)
    noise = Noise(5)
    assert np.array_equal(np.concatenate([noise.normal(4), noise.normal(6)]), whole)
    assert whole.dtype == np.float32
