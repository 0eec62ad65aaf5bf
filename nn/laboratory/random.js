// Python's random.Random, to the bit: the Mersenne Twister MT19937, from the state that getstate() gives.

class Random {
  /** `state`: its 624 words and the place of the next. */
  constructor(state) {
    this.words = Uint32Array.from(state.slice(0, 624));
    this.next = state[624];
  }

  get state() {
    return [...this.words, this.next];
  }

  copy() {
    const other = Object.create(Random.prototype);
    return Object.assign(other, { words: this.words.slice(), next: this.next });
  }

  /** 32 random bits. */
  word() {
    const { words } = this;
    if (this.next >= 624) {
      for (let k = 0; k < 624; k++) {
        const y = (words[k] & 0x80000000) | (words[(k + 1) % 624] & 0x7fffffff);
        words[k] = words[(k + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.next = 0;
    }
    let y = words[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** From 0 up to 1, with 53 bits. */
  random() {
    const high = this.word() >>> 5;
    return (high * 67108864 + (this.word() >>> 6)) / 9007199254740992;
  }

  /** A whole number from 0 up to n, of as many bits as n has, drawn again while it is too large. */
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
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }
}
