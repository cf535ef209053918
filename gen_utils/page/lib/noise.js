// Seeded noise: xoshiro128** and Marsaglia's polar method. gen_utils/page/noise.py gives the same numbers bit for bit.

export class Noise {
  constructor(seed) {
    let state = seed >>> 0; // splitmix32 spreads one seed over four words
    this.words = Uint32Array.from({ length: 4 }, () => {
      state = (state + 0x9e3779b9) >>> 0;
      let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      return word ^ (word >>> 15);
    });
  }

  // Uniform in (0, 1), 32 bits.
  uniform() {
    const s = this.words;
    const rotated = Math.imul(s[1], 5);
    const result = Math.imul((rotated << 7) | (rotated >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return (result + 0.5) / 4294967296;
  }

  uniforms(n) {
    return Float32Array.from({ length: n }, () => this.uniform());
  }

  // n standard normal numbers.
  normal(n) {
    const out = new Float32Array(n);
    for (let i = 0; i < n; ) {
      const a = 2 * this.uniform() - 1;
      const b = 2 * this.uniform() - 1;
      const s = a * a + b * b;
      if (s >= 1) continue;
      const scale = Math.sqrt((-2 * Noise.log(s)) / s);
      out[i++] = a * scale;
      if (i < n) out[i++] = b * scale;
    }
    return out;
  }

  // ln x for 0 < x < 1 by IEEE addition, multiplication and division alone: Math.log differs between browsers.
  static log(x) {
    let mantissa = x;
    let doublings = 0;
    for (; mantissa < 0.7; doublings++) mantissa *= 2;
    const t = (mantissa - 1) / (mantissa + 1); // ln x = 2 (t + t³/3 + t⁵/5 + …)
    let sum = 0;
    for (let k = 23; k > 0; k -= 2) sum = sum * t * t + 1 / k;
    return 2 * t * sum - doublings * Math.LN2;
  }
}
