//! Random programs: code from a seed.
//!
//! Every opcode gets arguments, so that most programs do not halt early. They run out of gas in
//! unlikely places and make reentrant calls.

use alloy_primitives::{Address, B256, Bytes, U256};
use testkit::Random;
use wire::ProtocolFork;

/// Returns a word of an interesting size: mostly small, sometimes huge.
pub(crate) fn word(rng: &mut Random) -> B256 {
    let number = match rng.index(8) {
        0..=3 => U256::from(rng.index(4)),
        4 => U256::from(rng.index(256)),
        5 => U256::from(rng.index(70_000)),
        6 => U256::MAX - U256::from(rng.index(3)),
        _ => U256::from_limbs([rng.next(), rng.next(), rng.next(), rng.next()]),
    };
    number.into()
}

struct Assembler<'p> {
    code: Vec<u8>,
    places: &'p [Address],
}

impl Assembler<'_> {
    fn op(&mut self, op: u8) {
        self.code.push(op);
    }

    fn push(&mut self, bytes: &[u8]) {
        let significant = bytes.iter().skip_while(|byte| **byte == 0).copied();
        let significant: Vec<u8> = significant.collect();
        self.op(0x5f + significant.len() as u8);
        self.code.extend(significant);
    }

    fn number(&mut self, number: u64) {
        self.push(&number.to_be_bytes());
    }

    fn word(&mut self, rng: &mut Random) {
        self.push(word(rng).as_slice());
    }

    fn place(&mut self, rng: &mut Random) {
        self.push(rng.pick(self.places).as_slice());
    }

    /// Pushes offset and length of a memory range.
    fn memory(&mut self, rng: &mut Random) {
        // Length first, because it is deeper in the stack.
        self.number(*rng.pick(&[0, 1, 31, 32, 48, 56, 96, 176, 500]));
        self.number(*rng.pick(&[0, 0, 7, 32, 64, 1_000]));
    }

    fn statement(&mut self, fork: ProtocolFork, rng: &mut Random) {
        match rng.index(31) {
            // Two arguments, one result.
            0 | 1 => {
                let ops = [
                    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13,
                    0x14, 0x16, 0x17, 0x18, 0x1a, 0x1b, 0x1c, 0x1d,
                ];
                self.word(rng);
                self.word(rng);
                self.op(*rng.pick(&ops));
            }
            // One argument, one result; CLZ exists from Osaka on.
            2 => {
                self.word(rng);
                let ops = [0x15, 0x19, 0x35, 0x40, 0x49, 0x54, 0x5c, 0x1e];
                self.op(*rng.pick(since(fork, ProtocolFork::Osaka, &ops, 1)));
            }
            // No argument; the slot number opcode exists from Amsterdam on.
            3 => {
                let ops = [
                    0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3a, 0x3d, 0x41, 0x42, 0x43, 0x44, 0x45,
                    0x46, 0x47, 0x48, 0x4a, 0x58, 0x59, 0x5a, 0x4b,
                ];
                self.op(*rng.pick(since(fork, ProtocolFork::Amsterdam, &ops, 1)));
            }
            4..=6 => {
                self.word(rng);
                self.number(rng.index(6) as u64);
                self.op(0x55);
            }
            7 => {
                self.number(rng.index(6) as u64);
                self.op(0x54);
            }
            8 => {
                self.word(rng);
                self.number(rng.index(3) as u64);
                self.op(0x5d);
            }
            9..=11 => {
                self.place(rng);
                self.op(*rng.pick(&[0x31, 0x3b, 0x3f]));
            }
            12 => {
                self.memory(rng);
                self.number(rng.index(64) as u64);
                self.op(0x90);
                self.place(rng);
                self.op(0x3c);
            }
            13..=17 => self.call(rng),
            18..=20 => self.create(rng),
            21 => {
                let topics = rng.index(5);
                for _ in 0..topics {
                    self.word(rng);
                }
                self.memory(rng);
                self.op(0xa0 + topics as u8);
            }
            22 => {
                self.word(rng);
                self.number(*rng.pick(&[0, 1, 32, 100]));
                self.op(*rng.pick(&[0x52, 0x53]));
                self.number(rng.index(64) as u64);
                self.op(0x51);
            }
            23 => {
                self.memory(rng);
                self.op(0x20);
            }
            24 => {
                self.memory(rng);
                self.number(rng.index(80) as u64);
                self.op(0x90);
                self.op(*rng.pick(&[0x37, 0x39, 0x3e, 0x5e]));
            }
            // Access to deep stack items, which exists from Amsterdam on.
            25 if fork >= ProtocolFork::Amsterdam || rng.one_in(20) => {
                for _ in 0..20 {
                    self.op(0x5f);
                }
                self.op(*rng.pick(&[0xe6, 0xe7, 0xe8]));
                self.op(rng.byte());
            }
            // A jump over random bytes.
            26 => {
                let skipped = rng.index(4);
                self.number(rng.index(2) as u64);
                let destination = self.code.len() + 3 + 1 + skipped;
                self.code.extend([0x61, (destination >> 8) as u8, destination as u8, 0x57]);
                for _ in 0..skipped {
                    let garbage = rng.byte();
                    self.op(if garbage == 0xff { 0x00 } else { garbage });
                }
                self.op(0x5b);
            }
            27 if rng.one_in(4) => {
                self.place(rng);
                self.op(0xff);
            }
            28 if rng.one_in(4) => {
                self.memory(rng);
                self.op(*rng.pick(&[0xf3, 0xfd]));
            }
            29 if rng.one_in(6) => self.op(rng.byte()),
            // The hash of an ancestor, including the oldest available one and the one before it.
            30 => {
                self.number(*rng.pick(&[0, 1, 2, 255, 256, 257]));
                self.op(0x43);
                self.op(0x03);
                self.op(0x40);
                self.number(rng.index(6) as u64);
                self.op(0x55);
            }
            _ => self.op(0x5a),
        }
    }

    fn call(&mut self, rng: &mut Random) {
        let kind = *rng.pick(&[0xf1, 0xf1, 0xf2, 0xf4, 0xfa]);
        self.memory(rng);
        self.memory(rng);
        if matches!(kind, 0xf1 | 0xf2) {
            self.number(if rng.one_in(2) { 0 } else { rng.index(3) as u64 });
        }
        self.place(rng);
        match rng.index(4) {
            0 => self.number(*rng.pick(&[0, 100, 2_300, 2_600, 5_000, 30_000])),
            1 => self.word(rng),
            _ => self.op(0x5a),
        }
        self.op(kind);
    }

    fn create(&mut self, rng: &mut Random) {
        match rng.index(3) {
            // A part of its own code.
            0 => {
                let length = *rng.pick(&[1, 40, 200]);
                self.number(length);
                self.number(rng.index(60) as u64);
                self.number(0);
                self.op(0x39);
                self.salt_and_create(length, 0, rng);
            }
            // Short init code that returns zeros, or code with the forbidden first byte (EIP-3541).
            1 => {
                let size = *rng.pick(&[0_u16, 1, 32, 100, 0x6000, 0x6001]);
                let [high, low] = size.to_be_bytes();
                let mut init = vec![0x61, high, low, 0x5f, 0xf3];
                if rng.one_in(3) {
                    init = vec![0x60, 0xef, 0x5f, 0x53, 0x60, 0x01, 0x5f, 0xf3];
                }
                if rng.one_in(3) {
                    init.splice(0..0, [0x60, rng.byte(), 0x5f, 0x55]);
                }
                let length = init.len();
                self.push(&init);
                self.number(0);
                self.op(0x52);
                self.salt_and_create(length as u64, 32 - length as u64, rng);
            }
            // Uses the current content of memory.
            _ => {
                let length = rng.index(40) as u64;
                self.salt_and_create(length, 0, rng);
            }
        }
    }

    fn salt_and_create(&mut self, length: u64, offset: u64, rng: &mut Random) {
        let salted = rng.one_in(2);
        if salted {
            self.number(rng.index(2) as u64);
        }
        self.number(length);
        self.number(offset);
        self.number(if rng.one_in(3) { 1 } else { 0 });
        self.op(if salted { 0xf5 } else { 0xf0 });
        // Sometimes calls the created contract, or stores its address.
        match rng.index(3) {
            0 => {
                self.number(rng.index(6) as u64);
                self.op(0x55);
            }
            1 => {
                for _ in 0..5 {
                    self.op(0x5f);
                }
                self.op(0x85);
                self.op(0x5a);
                self.op(0xf1);
            }
            _ => {}
        }
    }
}

/// Returns all `items` from the fork `first` on, and all but the last `few` before it.
fn since<T>(fork: ProtocolFork, first: ProtocolFork, items: &[T], few: usize) -> &[T] {
    if fork >= first { items } else { &items[..items.len() - few] }
}

/// Returns a random program that uses the addresses `places`.
pub(crate) fn code(fork: ProtocolFork, places: &[Address], rng: &mut Random) -> Bytes {
    let mut assembler = Assembler { code: Vec::new(), places };
    for _ in 0..4 + rng.index(24) {
        assembler.statement(fork, rng);
    }
    if rng.one_in(3) {
        assembler.memory(rng);
        assembler.op(if rng.one_in(3) { 0xfd } else { 0xf3 });
    }
    assembler.code.into()
}
