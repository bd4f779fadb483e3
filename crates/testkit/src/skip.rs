//! What a test says that leaves something out.

use std::io::{self, Write as _};

/// Says that something is skipped, and why. Tests that pass keep back what they print; this stands in what `cargo test`
/// says all the same.
pub fn say_skipped(what: &str) {
    // Whoever has closed the stream does not read it.
    let _ = writeln!(io::stderr(), "\n*** SKIPPED: {what} ***");
}
