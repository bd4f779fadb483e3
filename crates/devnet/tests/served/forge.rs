//! forge with a devnet.

use crate::support::{Served, TOOLS, execute_input, project, run, serve, tool};
use alloy_primitives::Address;
use std::path::Path;

/// Runs the script with these flags and returns forge's output.
fn script(served: &Served, project: &Path, flags: &[&str]) -> String {
    let url = served.url();
    let base = ["script", "script/Deploy.s.sol", "--rpc-url", &url, "--broadcast"];
    served.forge(project, &[base.as_slice(), flags].concat())
}

#[test]
fn forge_scripts_broadcast_with_all_options() {
    let served = serve(|_| {});
    let (_folder, project) = project();
    let secret = served.secret(0);
    let sender = served.devnet.addresses()[1].to_string();
    let ways: [&[&str]; 5] = [
        &["--private-key", &secret],
        &["--private-key", &secret, "--slow"],
        &["--private-key", &secret, "--legacy"],
        &["--private-key", &secret, "--skip-simulation"],
        &["--unlocked", "--sender", &sender],
    ];
    for (done, flags) in ways.iter().enumerate() {
        script(&served, &project, flags);
        let nonces = served.cast(&["nonce", &served.devnet.addresses()[0].to_string()]);
        // The last variant uses another account.
        assert_eq!(nonces, (3 * (done + 1).min(4)).to_string(), "{flags:?}");
    }
    assert_eq!(served.cast(&["nonce", &sender]), "3");
    let again = script(&served, &project, &["--unlocked", "--sender", &sender, "--resume"]);
    assert!(again.contains("ONCHAIN EXECUTION COMPLETE"), "{again}");
    assert_eq!(served.cast(&["nonce", &sender]), "3");
}

#[test]
fn forge_contract_calls_execute() {
    let served = serve(|_| {});
    let (_folder, project) = project();
    let (url, secret) = (served.url(), served.secret(0));
    let created = served.forge(
        &project,
        &[
            "create",
            "src/Caller.sol:Caller",
            "--rpc-url",
            &url,
            "--private-key",
            &secret,
            "--broadcast",
            "--value",
            "5",
            "--constructor-args",
            "41",
        ],
    );
    let address = created.lines().find_map(|line| line.strip_prefix("Deployed to: ")).unwrap();
    let address: Address = address.trim().parse().unwrap();
    let address = address.to_string();
    let input = execute_input();
    let send = ["send", &address, "--private-key", &secret, "execute(bytes)", &input];
    served.cast(&send);
    assert_ne!(served.cast(&["call", &address, "digest()"]), format!("0x{}", "0".repeat(64)));

    let tested = run(tool(TOOLS.forge())
        .args(["test", "--fork-url", &url, "-vv"])
        .env("CALLER", &address)
        .env("COUNT", "41")
        .current_dir(&project));
    assert!(tested.contains("1 passed"), "{tested}");
    assert_eq!(served.cast(&["call", &address, "count()(uint256)"]), "41");
}
