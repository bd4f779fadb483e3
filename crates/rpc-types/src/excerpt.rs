//! Bounded text of values that another program determines.

use core::fmt::{self, Display, Write};

/// Displays the beginning of a text, and the number of bytes that are left out.
///
/// Errors of alloy and `serde_json` contain the whole response of a node. Without a limit, a node
/// could fill the log and the status of its client.
#[derive(Debug, Clone, Copy)]
pub struct Excerpt<T> {
    value: T,
    limit: usize,
}

impl Excerpt<()> {
    /// Default limit in bytes.
    pub const LIMIT: usize = 500;
}

impl<T> Excerpt<T> {
    /// Limits the text of a value to [`LIMIT`](Excerpt::LIMIT) bytes.
    pub const fn new(value: T) -> Self {
        Self::within(Excerpt::LIMIT, value)
    }

    /// Limits the text of a value to this number of bytes.
    pub const fn within(limit: usize, value: T) -> Self {
        Self { value, limit }
    }
}

impl<T: Display> Display for Excerpt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bounded = Bounded { out: f, left: self.limit, omitted: 0 };
        write!(bounded, "{}", self.value)?;
        match bounded.omitted {
            0 => Ok(()),
            omitted => write!(f, "… ({omitted} more bytes)"),
        }
    }
}

/// Writer that counts the bytes beyond a limit instead of writing them.
struct Bounded<'w, 'f> {
    out: &'w mut fmt::Formatter<'f>,
    left: usize,
    omitted: usize,
}

impl Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nothing is written after the first omission, even if it would fit.
        let end = if self.omitted == 0 { text.floor_char_boundary(self.left) } else { 0 };
        self.left -= end;
        self.omitted += text.len() - end;
        self.out.write_str(&text[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_limit_is_counted() {
        for (limit, text, expected) in [
            (4, "", ""),
            (4, "abcd", "abcd"),
            (4, "abcde", "abcd… (1 more bytes)"),
            (3, "aéé", "aé… (2 more bytes)"),
            (2, "aéa", "a… (3 more bytes)"),
        ] {
            assert_eq!(Excerpt::within(limit, text).to_string(), expected, "{text}");
        }
        let parts = Excerpt::within(3, format_args!("{}{}{}", "ab", "éé", "c")).to_string();
        assert_eq!(parts, "ab… (5 more bytes)");
    }
}
