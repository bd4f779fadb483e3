//! Scanner for invalid request ids in arriving JSON text.
//!
//! jsonrpsee parses an object whose id it cannot represent, such as `1.5`, `true` or `[]`, as a
//! notification. Notifications are executed and never answered, so such a request must be
//! distinguished from one, and only its text still contains the id.

use parking_lot::Mutex;
use std::sync::Arc;

/// Name of the id member.
const ID: &[u8] = b"id";

/// Ids of a request or batch that arrives over HTTP, stored in the extensions of its request.
#[derive(Debug, Clone)]
pub(super) struct BodyIds(pub(super) Arc<Mutex<Ids>>);

/// Scans JSON text for invalid ids of a request, or of the requests of a batch.
///
/// Accepts any bytes: malformed JSON is rejected by the parser.
#[derive(Debug)]
pub(super) struct Ids {
    /// Maximum number of recorded entries; a larger batch is rejected as a whole.
    most: usize,
    /// Number of open objects and arrays.
    depth: usize,
    is_batch: bool,
    /// Index of the current request in its batch.
    entry: usize,
    /// Number of ids in the current request.
    ids: usize,
    place: Place,
    text: Text,
    /// Indices of requests with an invalid id, ascending.
    invalid: Vec<usize>,
}

/// Position between two tokens of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the name of a member.
    Name,
    /// After the name `id`, before its value.
    Id,
    /// Inside an id that is a number or a literal.
    IdText,
    /// Anywhere else.
    Other,
}

/// Position relative to a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// Outside strings.
    None,
    /// Inside a string that is not a member name of a request.
    Any { is_escaped: bool },
    /// Inside a member name; `matching` is the number of bytes that match `id` so far, if all do.
    Name { matching: Option<usize>, has_escape: bool, is_escaped: bool },
}

impl Ids {
    /// Creates a scanner for the start of a text, for batches of up to `most` requests.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            depth: 0,
            is_batch: false,
            entry: 0,
            ids: 0,
            place: Place::Other,
            text: Text::None,
            invalid: Vec::new(),
        }
    }

    /// Returns `true` if the request at `index` of the batch, or the only one, has an invalid id.
    pub(super) fn is_invalid(&self, index: usize) -> bool {
        self.invalid.binary_search(&index).is_ok()
    }

    /// Returns `true` if any request has an invalid id.
    pub(super) const fn has_invalid(&self) -> bool {
        !self.invalid.is_empty()
    }

    /// Scans the next part of the text.
    pub(super) fn scan(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            match self.text {
                Text::None => self.token(byte),
                Text::Any { is_escaped: true } => self.text = Text::Any { is_escaped: false },
                Text::Any { is_escaped: false } => match byte {
                    b'"' => self.text = Text::None,
                    b'\\' => self.text = Text::Any { is_escaped: true },
                    _ => {}
                },
                Text::Name { matching, has_escape, is_escaped } => {
                    self.text = match byte {
                        _ if is_escaped => Text::Name { matching, has_escape, is_escaped: false },
                        b'"' => {
                            // `\u0069d` is the same name. Since no valid member name needs escape
                            // sequences, treat an escaped name as `id`.
                            if has_escape || matching == Some(ID.len()) {
                                self.place = Place::Id;
                                self.ids += 1;
                            }
                            Text::None
                        }
                        b'\\' => Text::Name { matching, has_escape: true, is_escaped: true },
                        _ => {
                            let matching = matching.filter(|at| ID.get(*at) == Some(&byte));
                            let matching = matching.map(|at| at + 1);
                            Text::Name { matching, has_escape, is_escaped: false }
                        }
                    };
                }
            }
        }
    }

    /// Returns the depth of the members of a request.
    const fn level(&self) -> usize {
        if self.is_batch { 2 } else { 1 }
    }

    fn token(&mut self, byte: u8) {
        match byte {
            b'"' if self.place == Place::Name => {
                self.text = Text::Name { matching: Some(0), has_escape: false, is_escaped: false };
                self.place = Place::Other;
            }
            b'"' => {
                self.text = Text::Any { is_escaped: false };
                self.end_of_id(true);
            }
            b'{' | b'[' => {
                self.end_of_id(false);
                self.is_batch |= byte == b'[' && self.depth == 0;
                self.depth += 1;
                if byte == b'{' && self.depth == self.level() {
                    (self.place, self.ids) = (Place::Name, 0);
                }
            }
            b'}' | b']' => {
                self.place = Place::Other;
                self.depth = self.depth.saturating_sub(1);
            }
            b',' => {
                self.place = if self.depth == self.level() { Place::Name } else { Place::Other };
                if self.is_batch && self.depth == 1 {
                    self.entry += 1;
                }
            }
            b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => match self.place {
                Place::Id => {
                    self.end_of_id(byte == b'n' || byte.is_ascii_digit());
                    self.place = Place::IdText;
                }
                // A fraction or an exponent. `null` contains none of these characters.
                Place::IdText if matches!(byte, b'.' | b'e' | b'E') => self.invalidate(),
                _ => {}
            },
        }
    }

    /// Records whether the value at the current position, if it is an id, is valid.
    fn end_of_id(&mut self, is_valid: bool) {
        if self.place != Place::Id {
            return;
        }
        self.place = Place::Other;
        if !is_valid || self.ids > 1 {
            self.invalidate();
        }
    }

    fn invalidate(&mut self) {
        if self.invalid.last() != Some(&self.entry) && self.invalid.len() < self.most {
            self.invalid.push(self.entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(text: &str, piece: usize) -> Vec<usize> {
        let mut ids = Ids::new(10);
        for piece in text.as_bytes().chunks(piece) {
            ids.scan(piece.iter().copied());
        }
        assert_eq!(ids.has_invalid(), ids.is_invalid(0) || !ids.invalid.is_empty());
        ids.invalid
    }

    #[test]
    fn ids_are_checked_by_their_kind() {
        let text = |id: &str| format!(r#"{{"method":"m","id" : {id},"params":[]}}"#);
        for piece in [1, 3, 100] {
            for id in ["1", "0", "18446744073709551615", "null", r#""a""#, r#""1.5\"e""#] {
                assert!(invalid(&text(id), piece).is_empty(), "{id}");
                assert!(invalid(&format!(r#" {{"id":{id}}}"#), piece).is_empty(), "{id}");
            }
            for id in ["1.5", "1e3", "-1", "true", "false", "[]", "{}", r#"{"id":1}"#, "2,\"id\":3"]
            {
                assert_eq!(invalid(&text(id), piece), [0], "{id}");
            }
        }
    }

    #[test]
    fn only_members_named_id_are_ids() {
        for text in [
            r#"{"method":"m"}"#,
            r#"{"method":"m","params":{"id":true}}"#,
            r#"{"method":"m","params":[{"id":1.5}]}"#,
            r#"{"method":"id","params":["id",true]}"#,
            r#"{"idx":true,"i":1.5,"di":[],"":true}"#,
            r#"[{"params":[{"id":true}]}]"#,
        ] {
            assert!(invalid(text, 5).is_empty(), "{text}");
        }
        assert_eq!(invalid(r#"{"\u0069d":true}"#, 5), [0]);
    }

    #[test]
    fn batch_entries_are_scanned_separately() {
        let text = r#"[{"id":1},{"id":true},{"method":"m","params":[1,2,{"id":1.5}]},7,{"id":[]},{"id":2}]"#;
        assert_eq!(invalid(text, 1), [1, 4]);
        let many = format!("[{}]", vec![r#"{"id":true}"#; 100].join(","));
        assert_eq!(invalid(&many, 7).len(), 10);
    }
}
