//! The frames of a WebSocket's input, as far as the account of its bytes needs them.

use soketto::{
    Parsing,
    base::{Codec, Header},
};

/// Maximum length of a frame's header.
const HEADER: usize = 14;

/// Counter of the bytes of the message that a client is sending.
///
/// soketto answers and drops control frames, and passes on complete messages. Only the part of an incomplete
/// message is held, so an account of all bytes that arrive would grow with each ping.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: Vec<u8>,
    current: Option<Header>,
    /// Bytes of the current frame's payload that have not arrived.
    missing: usize,
    /// Bytes of the incomplete message.
    message: usize,
    /// `true` after a header that is invalid: the connection ends.
    is_broken: bool,
}

impl Frames {
    /// Follows bytes from the client, and returns the length of the incomplete message.
    pub(super) fn receive(&mut self, mut bytes: &[u8]) -> usize {
        while !bytes.is_empty() {
            if self.is_broken {
                self.message += bytes.len();
                break;
            }
            if self.missing == 0 {
                bytes = self.read_header(bytes);
            }
            let part = bytes.len().min(self.missing);
            self.missing -= part;
            bytes = &bytes[part..];
            self.end_of_part(part);
        }
        self.message
    }

    /// Reads a byte of a header, and returns the rest.
    fn read_header<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some((first, rest)) = bytes.split_first() else { return bytes };
        self.header.push(*first);
        match Codec::new().decode_header(&self.header) {
            Ok(Parsing::Done { value, .. }) => {
                self.missing = value.payload_len();
                self.current = Some(value);
                self.header.clear();
            }
            Ok(Parsing::NeedMore(_)) if self.header.len() < HEADER => {}
            Ok(Parsing::NeedMore(_)) | Err(_) => self.is_broken = true,
        }
        rest
    }

    /// Counts a part of the payload of the current frame.
    fn end_of_part(&mut self, part: usize) {
        let Some(header) = &self.current else { return };
        if !header.opcode().is_control() {
            self.message += part;
        }
        if self.missing == 0 {
            // A ping between two fragments does not end their message.
            if header.is_fin() && !header.opcode().is_control() {
                self.message = 0;
            }
            self.current = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame, as clients send them.
    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match u8::try_from(length) {
            Ok(short) if short < 126 => frame.push(0x80 | short),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(vec![0xff; length]);
        frame
    }

    #[test]
    fn only_incomplete_messages_count() {
        let [text, part, rest, ping] = [0x81, 0x01, 0x80, 0x89];
        for piece in [1, 2, 3, 7, 1_000, 100_000] {
            let mut frames = Frames::default();
            let mut receive = |bytes: &[u8]| {
                bytes.chunks(piece).map(|piece| frames.receive(piece)).last().unwrap_or_default()
            };
            for _ in 0..100 {
                assert_eq!(receive(&frame(ping, 125)), 0);
            }
            assert_eq!(receive(&frame(text, 300)), 0);
            assert_eq!(receive(&frame(text, 0)), 0);
            assert_eq!(receive(&frame(text, 300)[..108]), 100);
            assert_eq!(receive(&[0xff; 200]), 0);
            assert_eq!(receive(&frame(part, 40)), 40);
            assert_eq!(receive(&frame(ping, 0)), 40);
            assert_eq!(receive(&frame(rest, 20)[..16]), 50);
            assert_eq!(receive(&[0xff; 10]), 0);
        }
    }

    #[test]
    fn bytes_after_an_invalid_header_count() {
        let mut frames = Frames::default();
        assert_eq!(frames.receive(&[0xff, 0xff, 0, 0]), 2);
        assert_eq!(frames.receive(&[0; 100]), 102);
    }
}
