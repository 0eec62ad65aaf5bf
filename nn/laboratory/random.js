// Reproduces Python's random.Random bit for bit: the Mersenne Twister MT19937, started from a getstate().

class Random {
  /** `state`: the 624 words and the index of the next one. */
  constructor(state) {
    this.words = new Uint32Array(624);
    this.words.set(state.slice(0, 624));
    this.place = state[624];
  }

  get state() {
    return [...this.words, this.place];
  }

  copy() {
    const other = new Random([]);
    other.words.set(this.words);
    other.place = this.place;
    return other;
  }

  /** Returns 32 random bits. */
  word() {
    if (this.place >= 624) this.renew();
    let y = this.words[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  renew() {
    const { words } = this;
    for (let k = 0; k < 624; k++) {
      const y = (words[k] & 0x80000000) | (words[k < 623 ? k + 1 : 0] & 0x7fffffff);
      words[k] = words[k < 227 ? k + 397 : k - 227] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.place = 0;
  }

  /** Returns a number in [0, 1) with 53 random bits. */
  random() {
    const high = this.word() >>> 5;
    return (high * 67108864 + (this.word() >>> 6)) / 9007199254740992;
  }

  /** Returns a whole number below n: draws as many bits as n has until they are less than n. */
  below(n) {
    const shift = Math.clz32(n);
    for (;;) {
      const r = this.word() >>> shift;
      if (r < n) return r;
    }
  }

  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const moved = list[i];
      list[i] = list[j];
      list[j] = moved;
    }
    return list;
  }
}
