// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @dev Cheatcodes of the symbolic executor (halmos) that are used here. Functions with the prefix
/// `check_` are run by `cargo xtask audit`; forge ignores them.
interface Svm {
    /// @dev Makes the storage of a contract arbitrary.
    function enableSymbolicStorage(address account) external;
}

Svm constant SVM = Svm(0xF3993A62377BCd56AE39D773740A5390411E8BC9);
