//! Python's `random.Random`, which the specification uses to draw its known-answer values.

pub(crate) struct PythonRandom {
    state: [u32; Self::N],
    next: usize,
}

impl PythonRandom {
    const N: usize = 624;
    const M: usize = 397;

    /// Seeds the generator like `random.Random(seed)`, for a seed below 2^32.
    pub(crate) fn new(seed: u32) -> Self {
        let mut state = [0_u32; Self::N];
        state[0] = 19_650_218;
        for i in 1..Self::N {
            let previous = state[i - 1];
            state[i] =
                1_812_433_253_u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(i as u32);
        }
        let mut i = 1;
        let mut step = |state: &mut [u32; Self::N], factor: u32, add: u32, subtract: u32| {
            let previous = state[i - 1];
            state[i] = (state[i] ^ (previous ^ (previous >> 30)).wrapping_mul(factor))
                .wrapping_add(add)
                .wrapping_sub(subtract * i as u32);
            i += 1;
            if i == Self::N {
                state[0] = state[Self::N - 1];
                i = 1;
            }
        };
        for _ in 0..Self::N {
            step(&mut state, 1_664_525, seed, 0);
        }
        for _ in 1..Self::N {
            step(&mut state, 1_566_083_941, 0, 1);
        }
        state[0] = 0x8000_0000;
        Self { state, next: Self::N }
    }

    fn word(&mut self) -> u32 {
        if self.next == Self::N {
            for i in 0..Self::N {
                let y =
                    (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % Self::N] & 0x7fff_ffff);
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + Self::M) % Self::N] ^ (y >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `getrandbits(bits)` for up to 65 bits.
    fn bits(&mut self, bits: u32) -> u128 {
        let mut value = 0;
        let mut done = 0;
        while done < bits {
            let take = (bits - done).min(32);
            value |= u128::from(self.word() >> (32 - take)) << done;
            done += take;
        }
        value
    }

    /// `randint(low, high)`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        let width = u128::from(high - low) + 1;
        let bits = 128 - width.leading_zeros();
        loop {
            let value = self.bits(bits);
            if value < width {
                return low + value as u64;
            }
        }
    }

    /// `bytes(getrandbits(8) for _ in range(len))`.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.bits(8) as u8).collect()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap()
    }
}
