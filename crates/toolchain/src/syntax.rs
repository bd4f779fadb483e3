//! Converts libraries for older compilers to the current Solidity syntax.

/// Replaces the deprecated comment for memory-safe assembly by `assembly ("memory-safe")`, removes
/// the redundant pragma `experimental ABIEncoderV2`, and renames parameters called `error`, which
/// will be a keyword. The compiler generates the same code without a warning for each such place.
/// It reports at most 256 warnings, so those for the project's own code would be lost.
pub(crate) fn modernise(source: &str) -> String {
    let mut modern = String::with_capacity(source.len());
    let mut lines = source.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "pragma experimental ABIEncoderV2;" {
            continue;
        }
        let announces = line.trim() == "/// @solidity memory-safe-assembly";
        if let Some(block) = lines.next_if(|next| announces && next.trim() == "assembly {") {
            modern.push_str(&block.replace("assembly {", "assembly (\"memory-safe\") {"));
        } else if line.trim_end().ends_with("string calldata error") {
            modern.push_str(&line.replace("calldata error", "calldata message"));
        } else {
            modern.push_str(&line.replace("string calldata error)", "string calldata message)"));
        }
    }
    modern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modernise_drops_pragma_and_renames_error_parameters() {
        let old = "pragma solidity >=0.6.2;\npragma experimental ABIEncoderV2;\n\ninterface Vm {\n";
        assert_eq!(modernise(old), "pragma solidity >=0.6.2;\n\ninterface Vm {\n");
        let old = "f(bool a, string calldata error) external;\ng(\n  string calldata error\n);\n";
        let new = old.replace("error", "message");
        assert_eq!(modernise(old), new);
        for untouched in ["string calldata errors)", "// pragma experimental ABIEncoderV2;"] {
            assert_eq!(modernise(untouched), untouched);
        }
    }

    #[test]
    fn modernise_rewrites_only_memory_safe_assembly() {
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
