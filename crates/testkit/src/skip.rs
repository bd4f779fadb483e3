//! Message of a test that skips a part.

use std::io::{self, Write as _};

/// Reports a skipped part and the reason. Passing tests hide their output; this message appears in
/// the output of `cargo test` all the same.
pub fn say_skipped(what: &str) {
    // A closed stream has no reader.
    let _ = writeln!(io::stderr(), "\n*** SKIPPED: {what} ***");
}
