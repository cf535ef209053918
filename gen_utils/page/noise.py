"""The widgets' random numbers in Python: the twin, bit for bit, of class `Noise` in runtime.js.

xoshiro128** (Blackman and Vigna 2021) seeded by splitmix32, and Marsaglia's polar method on a logarithm made of
IEEE additions, multiplications and divisions alone, because `log` differs in its last bit between libraries.
"""

import math

import numpy as np

_WORD = 0xFFFFFFFF


class Noise:
    """A seeded stream of uniform and normal numbers, the same in Python and in every browser.

    Args:
        seed: a whole number; its lowest 32 bits count.
    """

    def __init__(self, seed: int) -> None:
        state, self.words = seed & _WORD, []
        for _ in range(4):
            state = (state + 0x9E3779B9) & _WORD
            word = (state ^ (state >> 16)) * 0x21F0AAAD & _WORD
            word = (word ^ (word >> 15)) * 0x735A2D97 & _WORD
            self.words.append(word ^ (word >> 15))

    def uniform(self) -> float:
        """Draw from (0, 1), with 32 bits."""
        s = self.words
        rotated = s[1] * 5 & _WORD
        result = ((rotated << 7 | rotated >> 25) & _WORD) * 9 & _WORD
        shifted = s[1] << 9 & _WORD
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = (s[3] << 11 | s[3] >> 21) & _WORD
        return (result + 0.5) / 4294967296

    def uniforms(self, n: int) -> np.ndarray:
        """Draw n numbers from (0, 1), float32 `(n,)`, which rounds some to 1."""
        return np.array([self.uniform() for _ in range(n)], dtype=np.float32)

    def normal(self, n: int) -> np.ndarray:
        """Draw n standard normal numbers, float32 `(n,)`."""
        out: list[float] = []
        while len(out) < n:
            a = 2 * self.uniform() - 1
            b = 2 * self.uniform() - 1
            s = a * a + b * b
            if s >= 1:
                continue
            scale = math.sqrt(-2 * _log(s) / s)
            out += [a * scale, b * scale]
        return np.array(out[:n], dtype=np.float32)


def _log(x: float) -> float:
    doublings = 0
    while x < 0.7:
        x *= 2
        doublings += 1
    t = (x - 1) / (x + 1)
    total = 0.0
    for k in range(23, 0, -2):
        total = total * t * t + 1 / k
    return 2 * t * total - doublings * 0.6931471805599453
