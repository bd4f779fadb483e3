//! Libraries written for older compilers, in the syntax of today's.

/// Writes assembly blocks that a comment declares memory-safe in the syntax that replaced the
/// comment. The compiler generates the same code, and no longer warns of each such comment: it
/// reports at most 256 warnings in all, so that those of our own code would be lost behind them.
pub(crate) fn modernise(source: &str) -> String {
    let mut modern = String::with_capacity(source.len());
    let mut lines = source.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let announces = line.trim() == "/// @solidity memory-safe-assembly";
        if let Some(block) = lines.next_if(|next| announces && next.trim() == "assembly {") {
            modern.push_str(&block.replace("assembly {", "assembly (\"memory-safe\") {"));
        } else {
            modern.push_str(line);
        }
    }
    modern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_blocks_are_modernised_and_nothing_else_is_touched() {
        let old =
            "a\n    /// @solidity memory-safe-assembly\n    assembly {\n      pop(0)\n    }\n";
        assert_eq!(modernise(old), "a\n    assembly (\"memory-safe\") {\n      pop(0)\n    }\n");
        for untouched in [
            "    assembly {\n    }\n",
            "/// @solidity memory-safe-assembly\n\nassembly {\n}",
            "/// @solidity memory-safe-assembly",
            "assembly (\"memory-safe\") {\n}\n",
            "",
        ] {
            assert_eq!(modernise(untouched), untouched);
        }
    }
}
