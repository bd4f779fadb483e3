//! Structured choices derived from bytes.

use testkit::Random;

/// Reader of choices. Past the end of the bytes all choices are zero, so any bytes are a complete
/// list of choices, and further bytes only extend it.
#[derive(Debug, Clone)]
pub(crate) struct Choices<'d> {
    rest: &'d [u8],
}

impl<'d> Choices<'d> {
    /// Creates a reader of these bytes.
    pub(crate) const fn new(bytes: &'d [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns `true` if no byte is left.
    pub(crate) const fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the remaining bytes.
    pub(crate) const fn rest(&self) -> &'d [u8] {
        self.rest
    }

    /// Takes a byte.
    pub(crate) const fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// Takes up to `length` bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> &'d [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Takes a number of 32 bits.
    pub(crate) const fn number(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// Takes an index below `length`; zero if `length` is zero. Small lengths take one byte, so
    /// that a small change of the bytes is a small change of the choices.
    pub(crate) const fn index(&mut self, length: usize) -> usize {
        let number = match length {
            0..=256 => self.byte() as usize,
            257..=65_536 => u16::from_le_bytes([self.byte(), self.byte()]) as usize,
            _ => self.number() as usize,
        };
        if length == 0 { 0 } else { number % length }
    }

    /// Takes one of the items.
    pub(crate) const fn pick<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.index(items.len())]
    }

    /// Takes a boolean.
    pub(crate) const fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// Takes the seed of a pseudorandom generator.
    pub(crate) fn random(&mut self) -> Random {
        Random::new(u64::from(u16::from_le_bytes([self.byte(), self.byte()])))
    }

    /// Changes bytes in up to `maximum` places, in ways to which formats are sensitive.
    pub(crate) fn edit(&mut self, bytes: &mut Vec<u8>, maximum: usize) {
        for _ in 0..self.index(maximum + 1) {
            let at = self.index(bytes.len());
            match self.byte() % 8 {
                0 | 1 => {
                    let mask = self.byte();
                    bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= mask.max(1));
                }
                2 => {
                    let added = self.byte();
                    bytes.iter_mut().skip(at).take(1).for_each(|b| *b = b.wrapping_add(added));
                }
                3 => {
                    let length = self.index(64);
                    let inserted = self.bytes(length).iter().copied();
                    bytes.splice(at..at, inserted);
                }
                4 => {
                    let end = bytes.len().min(at + self.index(64));
                    bytes.drain(at..end);
                }
                5 => {
                    let (from, length) = (self.index(bytes.len()), self.index(64));
                    let copied: Vec<_> = bytes.iter().copied().skip(from).take(length).collect();
                    bytes.iter_mut().skip(at).zip(copied).for_each(|(byte, copy)| *byte = copy);
                }
                6 => {
                    let number = self.number().to_le_bytes();
                    bytes.iter_mut().skip(at).zip(number).for_each(|(byte, new)| *byte = new);
                }
                _ => bytes.truncate(at),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_deterministic_and_zero_past_end() {
        let mut choices = Choices::new(&[7, 1, 2, 3]);
        assert_eq!(choices.index(5), 2);
        assert_eq!(choices.index(1_000), 0x0201);
        assert!(choices.flag() && choices.is_over());
        assert_eq!((choices.byte(), choices.number(), choices.index(0)), (0, 0, 0));
        assert!(choices.bytes(3).is_empty());
    }

    #[test]
    fn edits_stay_within_bytes() {
        for seed in 0..2_000 {
            let mut random = Random::new(seed);
            let directions = random.bytes(40);
            let mut bytes = random.bytes(random.clone().index(300));
            Choices::new(&directions).edit(&mut bytes, 8);
            assert!(bytes.len() < 300 + 8 * 64);
        }
    }
}
