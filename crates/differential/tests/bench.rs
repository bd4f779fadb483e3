//! Output of `side-by-side`.

use eyre::{Result, ensure};
use serde_json::Value;
use std::process::Command;

#[test]
fn run_reports_all_figures() -> Result<()> {
    let run = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_side-by-side"));
        command.args([name, "--rounds", "1", "--budget", "0", "--json"]).output()
    };
    ensure!(!run("of no block")?.status.success());
    for (name, has_floor) in [("modexp", true), ("batch of 10 ", false)] {
        let output = run(name)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout)?;
        let blocks = document["blocks"].as_array().map_or(0, Vec::len);
        assert_eq!(blocks, 1, "{name}");
        for ratio in [
            "single_over_ethrex",
            "parallel_over_ethrex",
            "single_over_floor",
            "single_over_reference_floor",
            "parallel_over_floor",
            "cold_over_ethrex",
            "peak_over_input",
        ] {
            let got = document["geomean"][ratio].as_f64();
            assert_eq!(
                got.is_some_and(|got| got > 0.0),
                has_floor || !ratio.ends_with("floor"),
                "{name}: {ratio} is {got:?}"
            );
        }
        let [minimum, usual] = ["minimum", "median"]
            .map(|statistic| document["blocks"][0]["single"][statistic]["onCore"].as_f64());
        ensure!(minimum > Some(0.0) && minimum <= usual, "{minimum:?}, {usual:?}");
        ensure!(document["worst"]["peak_over_input"].as_f64() > Some(1.0));
    }
    Ok(())
}
