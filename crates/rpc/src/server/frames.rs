//! Parser of the WebSocket frames that a client sends, for counting the bytes they hold.

use super::ids::Ids;
use soketto::{
    Parsing,
    base::{Codec, Header},
};

/// Maximum length of a frame header, in bytes.
const HEADER: usize = 14;

/// Counts the bytes of the message that a client is sending.
///
/// soketto answers and drops control frames, and passes on complete messages. Only incomplete
/// messages are held, so counting all received bytes would grow with each ping.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: Vec<u8>,
    current: Option<Header>,
    /// Payload bytes of the current frame that have not arrived yet.
    missing: usize,
    /// Bytes received of the incomplete message.
    message: usize,
    /// Id scanner of the incomplete message.
    ids: Option<Ids>,
    /// `true` after a message with an invalid id.
    has_invalid_id: bool,
    /// `true` after an invalid header; the connection then ends.
    is_broken: bool,
}

impl Frames {
    /// Parses bytes from the client and returns the length of the incomplete message.
    pub(super) fn receive(&mut self, mut bytes: &[u8]) -> usize {
        while !bytes.is_empty() {
            if self.is_broken {
                self.message += bytes.len();
                break;
            }
            if self.missing == 0 {
                bytes = self.read_header(bytes);
            }
            let (part, rest) = bytes.split_at(bytes.len().min(self.missing));
            self.scan(part);
            self.missing -= part.len();
            bytes = rest;
            self.end_of_part(part.len());
        }
        self.message
    }

    /// Parses one byte of a header and returns the remaining input.
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

    /// Returns `true` if any message so far contained a request with an invalid id.
    pub(super) const fn has_invalid_id(&self) -> bool {
        self.has_invalid_id
    }

    /// Scans a part of the payload of the current frame for ids.
    fn scan(&mut self, part: &[u8]) {
        let Some(header) = self.current.as_ref().filter(|header| !header.opcode().is_control())
        else {
            return;
        };
        let mask = if header.is_masked() { header.mask().to_be_bytes() } else { [0; 4] };
        let at = (header.payload_len() - self.missing) % mask.len();
        let keys = mask.into_iter().cycle().skip(at);
        let ids = self.ids.get_or_insert_with(|| Ids::new(1));
        ids.scan(part.iter().zip(keys).map(|(byte, key)| byte ^ key));
        self.has_invalid_id |= ids.has_invalid();
    }

    /// Counts a part of the current frame's payload.
    fn end_of_part(&mut self, part: usize) {
        let Some(header) = &self.current else { return };
        if !header.opcode().is_control() {
            self.message += part;
        }
        if self.missing == 0 {
            // A ping between two fragments does not end their message.
            if header.is_fin() && !header.opcode().is_control() {
                self.message = 0;
                self.ids = None;
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
    fn invalid_ids_are_found_under_any_mask() {
        let masked = |first: u8, text: &str| {
            let mask = [1_u8, 0x22, 0, 0x7f];
            let mut frame = vec![first, 0x80 | u8::try_from(text.len()).unwrap()];
            frame.extend(mask);
            frame.extend(text.bytes().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key));
            frame
        };
        for piece in [1, 3, 1_000] {
            let mut frames = Frames::default();
            let mut receive = |bytes: &[u8]| {
                for piece in bytes.chunks(piece) {
                    frames.receive(piece);
                }
                frames.has_invalid_id()
            };
            assert!(!receive(&masked(0x81, r#"{"id":1}"#)));
            assert!(!receive(&masked(0x89, r#"{"id":true}"#)), "a ping");
            assert!(!receive(&masked(0x01, r#"{"method":"m","#)));
            assert!(receive(&masked(0x80, r#""id":true}"#)));
            assert!(receive(&masked(0x81, r#"{"id":1}"#)));
        }
    }

    #[test]
    fn bytes_after_invalid_header_are_counted() {
        let mut frames = Frames::default();
        assert_eq!(frames.receive(&[0xff, 0xff, 0, 0]), 2);
        assert_eq!(frames.receive(&[0; 100]), 102);
    }
}
