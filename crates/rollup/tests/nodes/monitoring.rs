//! The alerting rules use existing metrics and are documented.

use crate::support::DevnetRollup;
use eyre::Result;
use std::collections::BTreeSet;

const ALARMS: &str = include_str!("../../../../monitoring/alarms.yml");
const DOCUMENT: &str = include_str!("../../../../docs/operating.md");

/// Returns all values of a YAML key, in order.
fn values(key: &str) -> Vec<&'static str> {
    ALARMS
        .lines()
        .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(key))
        .collect()
}

/// Returns the names of Enshrine's metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("enshrine_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alarm_metrics_are_exported_by_both_roles() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (sequencer, follower) = (rollup.sequencer().await?, rollup.follower(None).await?);
    let used: BTreeSet<_> = values("expr: ").into_iter().flat_map(names).collect();
    assert!(used.len() >= 7, "{used:?}");
    for node in [&sequencer, &follower] {
        let url = format!("http://{}/metrics", node.server().addresses()[0]);
        let metrics = reqwest::get(url).await?.text().await?;
        let exported: BTreeSet<_> = metrics
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split([' ', '{']).next())
            .collect();
        let missing: Vec<_> = used.iter().filter(|name| !exported.contains(*name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

/// Each alarm has an expression, a duration, a summary, and instructions in the documentation.
#[test]
fn alarms_are_complete_and_documented() {
    let alarms = values("alert: ");
    assert!(!alarms.is_empty());
    for key in ["expr: ", "for: ", "summary: "] {
        assert_eq!(values(key).len(), alarms.len(), "{key}");
    }
    let documented: Vec<_> = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("| `Enshrine"))
        .filter_map(|line| line.split('`').next())
        .map(|name| format!("Enshrine{name}"))
        .collect();
    assert_eq!(documented, alarms);
}
