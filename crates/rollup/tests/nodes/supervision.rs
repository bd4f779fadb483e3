//! A panic in any actor (thread) of a node is reported and ends the process.

use crate::support::{DevnetRollup, PATIENCE, until};
use enshrine_rollup::{ActorObserver, Config, EngineConfig, RollupNode};
use eyre::Result;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use testkit::Timeout;

const ACTORS: [&str; 6] = ["l1", "batcher", "blocks", "unsafe_blocks", "offers", "driver"];

/// Observer that panics in the chosen actor.
#[derive(Debug, Default)]
struct Saboteur(Mutex<Option<&'static str>>);

impl ActorObserver for Saboteur {
    fn turned(&self, actor: &'static str) {
        let chosen = *self.0.lock().unwrap();
        assert_ne!(chosen, Some(actor), "sabotage");
    }
}

/// Starts a sequencer that drives an unreachable client, so that it has all actors.
async fn with_all_rooms(rollup: &DevnetRollup) -> Result<RollupNode> {
    observed(rollup, None).await
}

async fn observed(
    rollup: &DevnetRollup,
    observer: Option<Arc<dyn ActorObserver>>,
) -> Result<RollupNode> {
    let config = rollup.config(rollup.sequencer_role()?);
    let secret = rpc::engine::JwtSecret::parse(&"5f".repeat(32))?;
    let drive = Some("http://127.0.0.1:1".to_owned());
    let engine = Some(EngineConfig { secret, serve: None, drive });
    Ok(RollupNode::start(Config { engine, observer, ..config }).await?)
}

async fn page(node: &RollupNode, name: &str) -> Result<(u16, String)> {
    let url = format!("http://{}/{name}", node.server().addresses()[0]);
    let response = reqwest::get(url).await?;
    Ok((response.status().as_u16(), response.text().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_start_in_order_and_report_their_age() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let node = with_all_rooms(&rollup).await?;
    assert_eq!(node.actors(), ACTORS);
    until("health", &node, || async { Ok(page(&node, "health").await?.0 == 200) }).await?;
    // An actor has an age once its thread runs.
    until("all actors", &node, || async {
        let health: Value = serde_json::from_str(&page(&node, "health").await?.1)?;
        Ok(ACTORS.iter().all(|actor| health["actors"][actor].is_u64()))
    })
    .await?;
    let metrics = page(&node, "metrics").await?.1;
    for actor in ACTORS {
        assert!(metrics.contains(&format!("enshrine_rollup_actor_age_{actor} ")), "{actor}");
    }
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn room_panic_is_reported_and_ends_process() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    for actor in ACTORS {
        let saboteur = Arc::<Saboteur>::default();
        let node = observed(&rollup, Some(Arc::clone(&saboteur) as _)).await?;
        assert_eq!(node.status().fault, None, "{actor}");
        let failed = node.failed();
        *saboteur.0.lock().unwrap() = Some(actor);
        let found = tokio::time::timeout(PATIENCE, failed).await?;
        assert_eq!(found.actor, actor);
        let expected = found.to_string();
        assert_eq!(node.status().fault.as_ref(), Some(&expected));
        let (status, health) = page(&node, "health").await?;
        let health: Value = serde_json::from_str(&health)?;
        assert_eq!((status, health["fault"].as_str()), (503, Some(&*expected)), "{health}");
        assert!(health["actors"][actor].is_null(), "{health}");
        let timeout = Timeout::begin();
        while !page(&node, "metrics").await?.1.contains("enshrine_rollup_actor_panicked 1\n") {
            assert!(timeout.lasts(), "{actor} is not in the metrics");
        }
        // The node still stops cleanly.
        node.stop().await;
    }
    Ok(())
}
