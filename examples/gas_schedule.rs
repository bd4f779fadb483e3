//! EXECUTE with prices of one's own.
//!
//! `cargo run --release --bin gas-schedule`

use execute::{Execute, ExecuteError};
use variants::{Flat, GasSchedule};

fn main() -> eyre::Result<()> {
    let input = enshrine_examples::l2_block()?;

    // A low base, and expensive bytes. A call reserves what the block may use at most,
    // and is charged what it has used.
    let gas = GasSchedule::Flat(Flat { base: 5_000, per_byte: 40 });
    let execute = Execute { gas: gas.into(), ..Execute::default() };
    let of_the_bytes = gas.bytes(input.len() as u64);
    let executed = execute.run(&input, 10_000_000)?;
    println!("{} bytes cost {of_the_bytes} gas, and with the block {}", input.len(), executed.gas);
    eyre::ensure!(of_the_bytes == 5_000 + 40 * input.len() as u64, "other prices");
    eyre::ensure!(executed.gas == of_the_bytes + 21_000, "the block is one transfer");

    // A caller with less gas than the reserve is refused before any work is done.
    let refusal = execute.run(&input, executed.gas - 1).unwrap_err();
    eyre::ensure!(matches!(refusal, ExecuteError::OutOfGas { .. }), "{refusal}");
    println!("with one gas less: {refusal}");

    // The rule of ethrex charges the gas limit of the block, not the gas that it uses.
    let ethrex = Execute { gas: GasSchedule::ETHREX.into(), ..Execute::default() };
    let executed = ethrex.run(&input, 100_000_000)?;
    println!("by ethrex's rule: {}", executed.gas);
    eyre::ensure!(executed.gas > executed.verdict.header.gas_limit, "the gas limit and the bytes");
    Ok(())
}
