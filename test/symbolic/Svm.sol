// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @dev Cheatcodes of the symbolic executor (halmos), as far as they are used here. Functions that
/// begin with `check_` are for it, and are run by `cargo xtask audit`; forge passes them by.
interface Svm {
    /// @dev Lets the storage of a contract hold anything.
    function enableSymbolicStorage(address account) external;
}

Svm constant SVM = Svm(0xF3993A62377BCd56AE39D773740A5390411E8BC9);
