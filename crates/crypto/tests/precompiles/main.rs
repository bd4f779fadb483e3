//! Both sets of libraries return the same results, with the same gas and the same errors.

mod bn254;
mod modexp;

use enshrine_crypto::{Backend, install, select};
use revm::precompile::EthPrecompileResult;
use std::sync::{Mutex, PoisonError};

/// Gas that suffices for every call of the tests.
const PLENTY: u64 = u64::MAX;

/// Returns the result of `call` with these libraries.
fn selected<T>(libraries: Backend, call: impl FnOnce() -> T) -> T {
    // The selection applies to the whole process.
    static SELECTION: Mutex<()> = Mutex::new(());
    let _guard = SELECTION.lock().unwrap_or_else(PoisonError::into_inner);
    install().expect("nothing else installs libraries");
    select(libraries);
    call()
}

/// Returns the result of a precompile, and asserts that it does not depend on the libraries.
fn answer(name: &str, call: impl Fn() -> EthPrecompileResult) -> EthPrecompileResult {
    let expected = selected(Backend::Reference, &call);
    assert_eq!(selected(Backend::Fast, &call), expected, "{name}");
    expected
}
