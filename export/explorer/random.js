// NumPy's `RandomState(seed).standard_normal(n)`, number for number: a frozen stream, so that
// Python draws the same noise. MT19937 (Matsumoto and Nishimura, 1998), Marsaglia's polar method.

class Twister {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed >>> 0;
    for (let i = 1; i < 624; i++) {
      const last = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, last) + i;
    }
    this.place = 624;
  }

  integer() {
    if (this.place === 624) {
      const s = this.state;
      for (let i = 0; i < 624; i++) {
        const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
        s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.place = 0;
    }
    let y = this.state[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  uniform() {
    const high = this.integer() >>> 5, low = this.integer() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }
}

export function standardNormal(seed, count) {
  const twister = new Twister(seed), values = [];
  while (values.length < count) {
    let a, b, square;
    do {
      a = 2 * twister.uniform() - 1;
      b = 2 * twister.uniform() - 1;
      square = a * a + b * b;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    values.push(factor * b, factor * a);
  }
  return Float32Array.from(values.slice(0, count));
}
