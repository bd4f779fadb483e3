//! Tests of the contracts, their libraries and their scripts on chains with EXECUTE.

mod constants;
mod deployment;
mod devnets;
mod genesis;
mod genesis_check;
mod harness;
mod libraries;
mod scripts;
