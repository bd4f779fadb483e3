// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// @dev The policy of `script/rollup.example.toml`, whose sequencer is a placeholder.
string constant EXAMPLE_POLICY = "policy = \"permissioned\"\ntimeout = 5400\n"
    "sequencer = \"0x0000000000000000000000000000000000000000\"\n"
    "fee_recipient = \"0x0000000000000000000000000000000000000000\"";

/// @dev A policy without values, for tests that are about other sections.
string constant NO_POLICY = "policy = \"none\"";
