//! A node whose `eth_call` fails, so that scripts cannot detect EXECUTE.

use super::bench::{Bench, DEPLOYER, RUN, WITHOUT_EXECUTE};
use eyre::{OptionExt, Result, ensure};
use serde_json::{Value, json};
use testkit::Proxy;

const REFUSAL: &str = "this node makes no calls today";

#[test]
fn failing_eth_call_is_not_taken_for_execute() -> Result<()> {
    let mut bench = Bench::new("refusing", &[])?;
    let config = bench.configure("rollup.toml", &[])?;
    let address = bench.url.strip_prefix("http://").ok_or_eyre("a plain node")?;
    let proxy = Proxy::start(address.trim_end_matches('/').parse()?)?;
    proxy.intercept(|request| {
        let request: Value = serde_json::from_str(request).ok()?;
        let error = json!({ "code": -32_601, "message": REFUSAL });
        let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
        (request["method"] == "eth_call").then(|| answer.to_string())
    });
    let node = std::mem::replace(&mut bench.url, proxy.url());
    let said = bench.refuse("Deploy", RUN, &[&config])?;
    ensure!(said.contains(REFUSAL), "{said}");
    assert_eq!(bench.nonce(DEPLOYER)?, 0);
    // Without the proxy, the script detects that the node has no EXECUTE.
    bench.url = node;
    let said = bench.run("Deploy", RUN, &[&config])?;
    assert!(said.contains(WITHOUT_EXECUTE), "{said}");
    Ok(())
}
