//! Policy for the heads that a caller of the Engine API may set.

use crate::{l2::ancestry::descends_from, service::node_handle::NodeHandle};
use alloy_eips::BlockNumHash;
use chain::{Block, ChainReader};
use rpc::engine::HeadPolicy;
use std::sync::{Arc, atomic::Ordering};

/// Head policy of a rollup node: L1 takes precedence over a sequencer, and a sequencer over callers
/// of the Engine API.
#[derive(Debug)]
pub(crate) struct Heads {
    pub(crate) shared: Arc<NodeHandle>,
}

impl HeadPolicy for Heads {
    fn check(&self, chain: &ChainReader, head: &Block) -> Result<(), String> {
        // Callers may request payloads from a sequencer, but only the sequencer extends its head,
        // since it must be able to post the blocks to L1.
        if self.shared.makes_blocks.load(Ordering::Relaxed) {
            let is_own = chain.head().hash == head.hash;
            return is_own
                .then_some(())
                .ok_or_else(|| "the head of a sequencer cannot be set".to_owned());
        }
        // From the view, because the status is published only after the blocks on L1 have been
        // imported: meanwhile, its safe head is an older one, with other descendants.
        let view = self.shared.view.lock().clone();
        let Some(view) = view.filter(|view| view.head().is_some()) else {
            return Err("L1 has not been read yet".to_owned());
        };
        let genesis = || BlockNumHash::new(0, view.deployment().genesis_hash);
        let safe = view.advanced_head().unwrap_or_else(genesis);
        match descends_from(chain, head, safe) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(format!("not a descendant of safe block {} ({})", safe.number, safe.hash))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn keeps_finality(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batcher::tests::{BatcherSetup, header, included},
        l1::Events,
    };
    use chain::BlockAttributes;

    #[test]
    fn head_descends_from_newest_block_on_l1() {
        let mut setup = BatcherSetup::new();
        let genesis = Arc::clone(setup.chain.head());
        let other = {
            let timestamp = genesis.header.timestamp + 7;
            let attributes = BlockAttributes { timestamp, ..BlockAttributes::default() };
            let (new, _) = setup.chain.build(&attributes, Vec::new()).unwrap();
            setup.chain.append(new).unwrap()
        };
        setup.chain.set_head(&genesis.hash).unwrap();
        let blocks = setup.blocks(2);
        let heads = Heads { shared: Arc::default() };
        let check = |setup: &BatcherSetup, head: &Block| heads.check(&setup.chain, head);
        let show = |setup: &BatcherSetup| {
            *heads.shared.view.lock() = Some(Arc::new(setup.view.clone()));
        };
        assert!(check(&setup, &blocks[1]).unwrap_err().contains("L1 has not been read"));
        show(&setup);
        assert_eq!((check(&setup, &other), check(&setup, &blocks[1])), (Ok(()), Ok(())));
        // The status still has the genesis as the safe head.
        setup.view.apply(header(2), included(&blocks[..1], 2));
        show(&setup);
        assert_eq!(heads.shared.status.lock().safe_head.number, 0);
        let refusal = check(&setup, &other).unwrap_err();
        assert!(refusal.contains(&blocks[0].hash.to_string()), "{refusal}");
        assert!(check(&setup, &genesis).is_err());
        assert_eq!((check(&setup, &blocks[0]), check(&setup, &blocks[1])), (Ok(()), Ok(())));
        let events: Events = included(&blocks[1..], 3);
        setup.view.apply(header(3), events);
        show(&setup);
        assert!(check(&setup, &blocks[0]).is_err());
    }
}
