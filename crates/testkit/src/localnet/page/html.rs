//! Pieces of HTML.

use crate::charts::escaped;
use std::fmt::Write as _;

/// Shortens each hash in a text to its first and last digits. Addresses are not shortened.
pub(super) fn short_hashes(text: &str) -> String {
    const DIGITS: usize = 64;
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let (before, hash) = rest.split_at(at + 2);
        let end = hash.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hash.len());
        let (digits, after) = hash.split_at(end);
        short += before;
        if digits.len() == DIGITS {
            short += &format!("{}…{}", &digits[..6], &digits[DIGITS - 4..]);
        } else {
            short += digits;
        }
        rest = after;
    }
    short + rest
}

/// Returns a table with this CSS class, collapsed below a summary. The first column has the row
/// headers.
pub(super) fn table(
    class: &str,
    summary: &str,
    heads: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let summary = escaped(summary);
    // A table wider than the screen scrolls separately, also by keyboard.
    let mut text = format!(
        "<details class=\"figures\"><summary>{summary}</summary>\n<div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-label=\"{summary}\">\n<table class=\"{class}\">\n<thead><tr>"
    );
    for head in heads {
        let _ = write!(text, "<th scope=\"col\">{}</th>", escaped(head));
    }
    text += "</tr></thead>\n<tbody>\n";
    for row in rows {
        text += "<tr>";
        for (index, cell) in row.iter().enumerate() {
            let cell = escaped(cell);
            let _ = match index {
                0 => write!(text, "<th scope=\"row\">{cell}</th>"),
                _ => write!(text, "<td>{cell}</td>"),
            };
        }
        text += "</tr>\n";
    }
    text + "</tbody>\n</table>\n</div>\n</details>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_hashes_shortens_only_hashes() {
        let hash = format!("0x{}", "ab".repeat(32));
        let text = format!("{hash}, not {hash}: 0x and 0xé");
        assert_eq!(short_hashes(&text), "0xababab…abab, not 0xababab…abab: 0x and 0xé");
        for same in ["", "0", "0x", &format!("at 0x{}", "cd".repeat(20)), &format!("{hash}00")] {
            assert_eq!(short_hashes(same), same);
        }
    }
}
