//! L1 of the simulation, and the blocks that other accounts post.

use super::{DEEPEST, FINAL, L1Block, L2Block, MAX_LAG, POST_DELAY, SLOT, Simulation, TIMEOUT};
use crate::prefix::L1Condition;
use alloy_primitives::B256;

impl Simulation {
    pub(super) fn reorganise(&mut self) {
        let depth = 1 + self.random.below(DEEPEST);
        let remaining = self.canonical.len().saturating_sub(depth as usize).max(1);
        let old = *self.canonical.last().unwrap();
        let replaced = self.canonical.split_off(remaining);
        for old in replaced {
            let hash = self.fresh();
            let parent = *self.canonical.last().unwrap();
            let timestamp = self.l1[&old].timestamp;
            let block = L1Block {
                number: self.canonical.len() as u64 + 1,
                parent,
                timestamp,
                posted: Vec::new(),
                head: self.l1[&parent].head,
            };
            self.l1.insert(hash, block);
            self.canonical.push(hash);
        }
        self.counts.reorgs += 1;
        if self.random.one_in(2) {
            self.left.push((old, self.time + self.random.below(20 * SLOT)));
        }
    }

    /// Makes a reorged chain canonical again, unless the chain that replaced it is final.
    pub(super) fn return_to(&mut self, head: B256) {
        let mut chain = Vec::new();
        let mut cursor = head;
        while !self.is_on_l1((self.l1[&cursor].number, cursor)) {
            chain.push(cursor);
            cursor = self.l1[&cursor].parent;
        }
        let fork = self.l1[&cursor].number;
        if fork + FINAL <= self.canonical.len() as u64 {
            return;
        }
        let old = *self.canonical.last().unwrap();
        self.canonical.truncate(fork as usize);
        self.canonical.extend(chain.into_iter().rev());
        self.counts.flips += 1;
        if self.random.one_in(4) {
            self.left.push((old, self.time + self.random.below(20 * SLOT)));
        }
    }

    pub(super) fn add_l1_block(&mut self) {
        let (hash, parent) = (self.fresh(), *self.canonical.last().unwrap());
        let mut head = self.l1[&parent].head;
        let mut posted = Vec::new();
        let is_censored = self.time < self.censored_until;
        if !is_censored && !self.random.one_in(4) {
            // The other node may have transactions in flight, too.
            let poster =
                self.nodes.iter().find(|node| node.leads).map_or(self.feed, |node| node.head);
            let of = if self.random.one_in(8) { self.feed } else { poster };
            let mut chain = self.chain_after(head, of).unwrap_or_default();
            chain.truncate(1 + self.random.below(64) as usize);
            for block in chain {
                if !self.is_valid(&block) {
                    break;
                }
                head = block;
                posted.push(block);
            }
        } else if self.random.one_in(6)
            && let Some(block) = self.postable(head)
        {
            head = block;
            posted.push(block);
            self.counts.posted_by_strangers += 1;
        } else if self.time >= self.l2[&head].header.timestamp + TIMEOUT {
            let before = self.l2[&head].clone();
            let timestamp = (self.time - MAX_LAG).max(before.header.timestamp + 1);
            let transaction = self.transaction();
            let block = L2Block::child(&before, timestamp, before.anchor, vec![transaction]);
            head = block.hash;
            posted.push(head);
            self.l2.insert(head, block);
            self.counts.backdated += 1;
        }
        let (number, timestamp) = (self.canonical.len() as u64 + 1, self.time);
        self.l1.insert(hash, L1Block { number, parent, timestamp, posted, head });
        self.canonical.push(hash);
        self.idle += 1;
        self.counts.longest_idle = self.counts.longest_idle.max(self.idle);
    }

    /// Returns the blocks after `from` up to `to`, if `to` is a descendant.
    pub(super) fn chain_after(&self, from: B256, to: B256) -> Option<Vec<B256>> {
        let (mut chain, mut cursor) = (Vec::new(), to);
        while cursor != from {
            let block = &self.l2[&cursor];
            if block.header.number <= self.l2[&from].header.number {
                return None;
            }
            chain.push(cursor);
            cursor = block.header.parent_hash;
        }
        chain.reverse();
        Some(chain)
    }

    /// Returns `true` if L1's next block accepts this block after its parent.
    fn is_valid(&self, hash: &B256) -> bool {
        let block = &self.l2[hash];
        let timestamp = block.header.timestamp;
        timestamp <= self.time && timestamp + MAX_LAG >= self.time && self.is_on_l1(block.anchor)
    }

    /// Returns a signed child of the rollup's head, which any account may post.
    fn postable(&self, head: B256) -> Option<B256> {
        let is_postable = |(hash, condition): &&(B256, L1Condition)| {
            let block = &self.l2[hash];
            let holds = condition.number == 0 || self.is_on_l1((condition.number, condition.hash));
            block.header.parent_hash == head
                && holds
                && block.header.timestamp + POST_DELAY <= self.time
                && self.is_valid(hash)
        };
        self.sealed.iter().rev().take(4_000).find(is_postable).map(|(hash, _)| *hash)
    }
}
