//! States in compact form that are expensive to process for their size. They cannot occur on a
//! chain.

/// Number of nibbles in a key.
const KEY: usize = 64;
/// Number of levels of full branches at the top.
const TOP: usize = 2;

/// Returns states in compact form of several hundred kilobytes or more, by name. They maximise the
/// time or memory per byte by using the shortest possible encoding of a node in each position.
pub fn hostile_states() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("accounts of three bytes", state(|place| place.bottom(12, 4, |leaf| leaf.account(0x10)))),
        (
            "accounts with a slot each",
            state(|place| {
                place.bottom(16, 0, |leaf| {
                    leaf.account(0x18);
                    leaf.put(&[0x03]);
                    leaf.put(&[0x33; KEY / 2]);
                    leaf.put(&[0x01]);
                    leaf.nodes += 1;
                });
            }),
        ),
        (
            "slots of two bytes, embedded",
            state(|place| {
                // A single account, whose storage has the same shape.
                place.put(&[0x18]);
                place.path(TOP);
                place.put(&[0x80, 0x80]);
                place.nodes += 1;
                place.extension(KEY - 2);
                place.full(|place| place.branch(12, 4, |leaf| leaf.slot()));
            }),
        ),
        ("paths of 62 branches of two", state(|place| place.stairs(KEY - TOP))),
        (
            "accounts of 34 bytes",
            state(|place| {
                place.full(|place| {
                    place.put(&[0x10, 0x01]);
                    place.path(TOP + 2);
                    place.put(&[0x80, 0x80]);
                    place.nodes += 1;
                });
            }),
        ),
        ("branches of two hashes", state(|place| place.full(|place| place.branch(0, 2, |_| {})))),
    ]
}

/// A stream under construction.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    nodes: u32,
    hashes: u64,
}

/// Returns a state with the same subtree below each of the top branches.
fn state(below: impl Fn(&mut Stream)) -> Vec<u8> {
    let mut stream = Stream::default();
    stream.full(|stream| stream.full(&below));
    [&stream.nodes.to_le_bytes()[..], &stream.bytes].concat()
}

impl Stream {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds the path from this depth to the end of a key.
    fn path(&mut self, depth: usize) {
        self.bytes.resize(self.bytes.len() + (KEY - depth).div_ceil(2), 0x01);
    }

    /// Adds a branch with `carried` children in the stream, followed by `hashed` children given by
    /// their hashes.
    fn branch(&mut self, carried: u32, hashed: u32, child: impl Fn(&mut Self)) {
        let carried_mask = (1_u32 << carried) - 1;
        let hashed_mask = ((1_u32 << hashed) - 1) << carried;
        self.put(&[0x00]);
        for mask in [carried_mask, hashed_mask] {
            self.put(&mask.to_le_bytes()[..2]);
        }
        for _ in 0..hashed {
            // Distinct hashes, so that no two nodes are equal.
            self.hashes += 1;
            let number = self.hashes.to_be_bytes();
            self.put(&[[0x5b; 8], [0x5b; 8], [0x5b; 8], number].concat());
        }
        self.nodes += 1;
        (0..carried).for_each(|_| child(self));
    }

    fn full(&mut self, child: impl Fn(&mut Self)) {
        self.branch(16, 0, child);
    }

    /// Adds an extension with an even number of nibbles.
    fn extension(&mut self, nibbles: usize) {
        #[allow(clippy::cast_possible_truncation, reason = "below 64")]
        self.put(&[0x01, nibbles as u8]);
        self.bytes.resize(self.bytes.len() + nibbles / 2, 0x01);
        self.nodes += 1;
    }

    /// Adds the lower part of the trie: an extension to a branch of sixteen branches at the ends of
    /// the keys.
    fn bottom(&mut self, carried: u32, hashed: u32, child: impl Fn(&mut Self)) {
        self.extension(KEY - 2 - TOP);
        self.full(|stream| stream.branch(carried, hashed, &child));
    }

    /// Adds an account with zero nonce and balance and without code, at the end of a key.
    fn account(&mut self, tag: u8) {
        self.put(&[tag, 0x80, 0x80]);
        self.nodes += 1;
    }

    /// Adds a slot at the end of a key.
    fn slot(&mut self) {
        self.put(&[0x03, 0x01]);
        self.nodes += 1;
    }

    /// Adds `levels` nested branches, each next to a hash.
    fn stairs(&mut self, levels: usize) {
        for _ in 1..levels {
            self.branch(1, 1, |_| {});
        }
        self.branch(0, 2, |_| {});
    }
}
