//! The two nodes of the simulation.

use super::{
    FINAL, L2Block, MAX_LAG, Node, OpenBlock, PublishedMessage, SLICES, SLOT, Simulation, Stop,
    TICK, TIMEOUT, prove,
};
use crate::{
    prefix::{
        L1Condition, Prefix, PrefixError, Recorded, condition,
        shared::store::{Fate, Handle},
    },
    sequencer::{max_age_of_safe, max_age_of_unposted},
};
use alloy_consensus::Header;
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, Bytes};
use alloy_rlp::Decodable as _;
use derive::{Events, L1Cost, L1Header, PostedBlock};
use std::{collections::BTreeMap, sync::Arc};

impl Simulation {
    pub(super) fn transaction(&mut self) -> Bytes {
        self.fresh().repeat(2).into()
    }

    pub(super) fn run_nodes(&mut self, stop: Option<(bool, Stop)>) {
        for at in 0..2 {
            let node = &mut self.nodes[at];
            if node.away_until > self.time {
                continue;
            }
            if node.signer.is_none() {
                node.start(true);
            }
            // Signed before the suspension.
            if let Some(published) = self.nodes[at].unseen.take() {
                self.show(published);
            }
            if let Some(block) = self.nodes[at].unsealed.take() {
                self.commit(at, block, None);
            }
            if !self.random.one_in(8) {
                self.read_l1(at);
            }
        }
        let Some(leader) = self.leader() else { return };
        let (kills, stop) = stop.map_or((false, None), |(kills, stop)| (kills, Some(stop)));
        if stop != Some(Stop::Idle) {
            self.work(leader, stop);
        }
        if stop.is_some() {
            self.nodes[leader].away_until = self.time + TICK + self.random.below(120);
            if kills {
                self.nodes[leader].kill();
                self.counts.kills += 1;
            } else {
                self.counts.suspensions += 1;
            }
        }
    }

    /// Returns the node that builds blocks. If the leader is suspended, another node is elected; a
    /// leader that resumes continues without the lease until it needs a record.
    fn leader(&mut self) -> Option<usize> {
        let is_here = |node: &Node| node.away_until <= self.time && node.signer.is_some();
        let leads: Vec<_> = (0..2).filter(|at| self.nodes[*at].leads).collect();
        let here: Vec<_> = (0..2).filter(|at| is_here(&self.nodes[*at])).collect();
        if let Some(at) = leads.iter().find(|at| here.contains(at))
            && (leads.len() == 1 || self.random.one_in(2))
        {
            return Some(*at);
        }
        let at = here.into_iter().find(|at| !leads.contains(at))?;
        // The lease of the last leader must end first.
        (self.random.one_in(2) && self.lead(at)).then_some(at)
    }

    /// Begins a term. Returns `false` if the node lacks blocks.
    fn lead(&mut self, at: usize) -> bool {
        let term = {
            let mut store = self.store.lock();
            store.term += 1;
            store.term
        };
        self.read_l1(at);
        self.follow(at, self.feed);
        let handle = Handle { store: Arc::clone(&self.store), term };
        let head = self.l2[&self.nodes[at].head].clone();
        let head = BlockNumHash::new(head.header.number, head.hash);
        let (mut own, mut cursor) = (BTreeMap::new(), head.hash);
        while let Some(block) = self.l2.get(&cursor) {
            own.insert(block.header.number, cursor);
            cursor = block.header.parent_hash;
        }
        let is_own = |block: BlockNumHash| own.get(&block.number) == Some(&block.hash);
        let node = &mut self.nodes[at];
        node.open = None;
        match node.signer.as_mut().unwrap().join(handle, head, &node.view, is_own) {
            Ok(root) => {
                (node.leads, node.term) = (true, term);
                self.counts.terms += 1;
                if let Some(root) = root {
                    self.counts.branches += 1;
                    self.revert_to(at, root.hash);
                }
            }
            Err(PrefixError::Behind { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        self.nodes[at].leads
    }

    /// Sets a node's head to a block, unless it conflicts with L1.
    fn follow(&mut self, at: usize, head: B256) {
        let safe = self.safe(at);
        let leads_to = self.chain_after(safe, head).is_some();
        self.nodes[at].head = if leads_to { head } else { safe };
    }

    fn safe(&self, at: usize) -> B256 {
        let genesis = self.l1[&self.canonical[0]].head;
        self.nodes[at].view.advanced_head().map_or(genesis, |head| head.hash)
    }

    fn read_l1(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let same = node.read.iter().zip(&self.canonical).take_while(|(a, b)| a == b).count();
        if same < node.read.len() {
            node.view.cut_back(Some(same as u64));
            node.read.truncate(same);
        }
        for hash in &self.canonical[same..] {
            let block = &self.l1[hash];
            let advanced = block.posted.iter().map(|posted| {
                let number = self.l2[posted].header.number;
                PostedBlock {
                    number,
                    hash: *posted,
                    l1_block: block.number,
                    transaction: B256::ZERO,
                    first: number,
                    last: BlockNumHash::new(number, *posted),
                    cost: L1Cost::default(),
                    input: None,
                }
            });
            let events = Events { advanced: advanced.collect(), ..Events::default() };
            let (number, parent, timestamp) = (block.number, block.parent, block.timestamp);
            let header = L1Header { number, hash: *hash, parent, timestamp, base_fee: 7 };
            node.view.apply(header, events);
            node.read.push(*hash);
        }
        let finalized = (node.read.len() as u64).saturating_sub(FINAL);
        node.view.set_finalized(finalized);
    }

    /// Reverts to the parent of the first block that L1 can never accept, or to L1's chain if it
    /// has other blocks.
    fn rebuild_lost(&mut self, at: usize) {
        let safe = self.safe(at);
        let Some(chain) = self.chain_after(safe, self.nodes[at].head) else {
            self.nodes[at].head = safe;
            return;
        };
        let mut parent = safe;
        for hash in chain {
            let block = &self.l2[&hash];
            let too_old = block.header.timestamp + MAX_LAG < self.time + SLOT;
            let node = &self.nodes[at];
            let is_lost = !node.view.is_canonical(block.anchor.0, block.anchor.1);
            let signer = node.signer.as_ref().unwrap();
            let is_broken = signer.may_break(block.header.number, parent, hash, &node.view) && {
                let sealed = block.prefix(true, L1Condition::default());
                signer.is_excluded(&sealed.promised, &node.view)
            };
            if too_old || is_lost || is_broken {
                self.revert_to(at, parent);
                return;
            }
            parent = hash;
        }
    }

    /// Reverts to a block, after recording the unsigned blocks after it, which L1 may still
    /// include.
    fn revert_to(&mut self, at: usize, parent: B256) {
        let chain = self.chain_after(parent, self.nodes[at].head).unwrap_or_default();
        let node = &mut self.nodes[at];
        let signer = node.signer.as_mut().unwrap();
        for hash in chain.into_iter().rev() {
            let block = &self.l2[&hash];
            if signer.has_sealed(block.header.number, hash) {
                continue;
            }
            signer.record_reverted(block.prefix(true, L1Condition::default()), &node.view);
            self.counts.replaced += 1;
        }
        node.head = parent;
    }

    /// Runs a slice of the leader. If `stop` is set, stops after the record or the signature of a
    /// prefix.
    fn work(&mut self, at: usize, stop: Option<Stop>) {
        self.rebuild_lost(at);
        let parent = self.l2[&self.nodes[at].head].clone();
        let node = &mut self.nodes[at];
        let is_lost = |open: &OpenBlock| {
            let (number, hash) = open.block.anchor;
            open.block.header.parent_hash != parent.hash || !node.view.is_canonical(number, hash)
        };
        if node.open.as_ref().is_some_and(is_lost) {
            node.open = None;
        }
        match node.open.take() {
            Some(open) => self.extend(at, open, stop),
            None => self.open_block(at, &parent, stop),
        }
    }

    fn open_block(&mut self, at: usize, parent: &L2Block, stop: Option<Stop>) {
        let (time, node) = (self.time, &self.nodes[at]);
        let signer = node.signer.as_ref().unwrap();
        let place = BlockNumHash::new(parent.header.number, parent.hash);
        if let Some(recorded) = signer.unfinished_on(place, time, &node.view)
            && recorded.prefix.promised.header.timestamp + MAX_LAG >= time + SLOT
            && let block = self.made_again(parent, &recorded.prefix)
            && node.view.is_canonical(block.anchor.0, block.anchor.1)
        {
            return self.seal_again(at, block, &recorded, stop);
        }
        let minimum = signer.min_anchor(parent.header.number + 1, parent.hash, time);
        if parent.header.timestamp >= time {
            return;
        }
        let mut anchor = parent.anchor;
        let depth = self.random.below(4);
        let newest = node.view.head().map(|head| head.number.saturating_sub(depth).max(minimum));
        if let Some(header) = newest.and_then(|number| node.view.header(number))
            && header.number > anchor.0
            && (minimum > 0 || self.random.one_in(2))
        {
            anchor = (header.number, header.hash);
        }
        let proof = (anchor != parent.anchor).then(|| prove(anchor));
        let transactions = proof.into_iter().chain([self.transaction()]).collect();
        let block = L2Block::child(parent, time, anchor, transactions);
        let may = self.may_preconfirm(at, parent);
        let node = &self.nodes[at];
        let signer = node.signer.as_ref().unwrap();
        let is_own = |number, hash| signer.has_sealed(number, hash);
        let number = block.header.number;
        let minimum = signer.min_condition(number, parent.hash, time, &node.view);
        let named = condition(&node.view, anchor.0, minimum, is_own);
        if let Some(named) = named.filter(|_| may)
            && self.sign(at, &block, false, named, stop).is_ok()
        {
            self.nodes[at].open = Some(OpenBlock { block, condition: named, slices: 1 });
            return;
        }
        self.commit(at, block, stop);
    }

    fn may_preconfirm(&mut self, at: usize, parent: &L2Block) -> bool {
        let safe = self.safe(at);
        let oldest = self.chain_after(safe, parent.hash).and_then(|blocks| blocks.first().copied());
        let oldest = oldest.map_or(self.time, |oldest| self.l2[&oldest].header.timestamp);
        let node = &mut self.nodes[at];
        let signer = node.signer.as_mut().unwrap();
        let number = BlockNumHash::new(parent.header.number, parent.hash);
        let is_known = signer.require_complete(&node.view).is_ok()
            && signer.require_shared(number, &node.view).is_ok();
        let age = self.time.saturating_sub(parent.header.timestamp);
        let is_near = safe == parent.hash && age > max_age_of_safe(MAX_LAG, TIMEOUT);
        is_known && !is_near && self.time.saturating_sub(oldest) <= max_age_of_unposted(MAX_LAG)
    }

    fn made_again(&self, parent: &L2Block, prefix: &Prefix) -> L2Block {
        let header = Header::decode(&mut &prefix.header[..]).unwrap();
        let new = prefix.promised.anchor;
        let anchor = if new.0 == 0 { parent.anchor } else { new };
        let block = L2Block::child(parent, header.timestamp, anchor, prefix.transactions.clone());
        assert_eq!(block.hash, prefix.promised.header.hash);
        block
    }

    fn seal_again(&mut self, at: usize, block: L2Block, record: &Recorded, stop: Option<Stop>) {
        if record.is_signed {
            let message = &record.prefix.promised.message;
            let named = L1Condition { number: message.l1_block, hash: message.l1_hash };
            // The block is sealed with or without the signature.
            let _ = self.sign(at, &block, true, named, stop);
        }
        self.commit(at, block, stop);
    }

    fn extend(&mut self, at: usize, mut open: OpenBlock, stop: Option<Stop>) {
        open.slices += 1;
        let is_last = open.slices >= SLICES;
        let mut next = open.block.clone();
        if !self.random.one_in(4) {
            let mut transactions = next.transactions.clone();
            transactions.push(self.transaction());
            let parent = self.l2[&next.header.parent_hash].clone();
            next = L2Block::child(&parent, next.header.timestamp, next.anchor, transactions);
        }
        match self.sign(at, &next, is_last, open.condition, stop) {
            Err(error) if !error.may_be_recorded() => {}
            _ => open.block = next,
        }
        match is_last {
            true => self.commit(at, open.block, stop),
            false => self.nodes[at].open = Some(open),
        }
    }

    fn sign(
        &mut self,
        at: usize,
        block: &L2Block,
        is_sealed: bool,
        named: L1Condition,
        stop: Option<Stop>,
    ) -> Result<(), PrefixError> {
        self.set_fate();
        let node = &mut self.nodes[at];
        let prefix = block.prefix(is_sealed, named);
        let signed = node.signer.as_mut().unwrap().sign(prefix, &node.view);
        self.store.lock().fate = None;
        if let Err(PrefixError::NotShared(_)) = &signed {
            node.leads = self.store.lock().term == node.term;
        }
        let published = signed?;
        let update = PublishedMessage { prefix: published.prefix, signature: published.signature };
        self.l2.entry(block.hash).or_insert_with(|| block.clone());
        match stop {
            Some(Stop::Recorded) => self.nodes[at].unseen = Some(update),
            _ => self.show(update),
        }
        Ok(())
    }

    /// Sets the fate of the next request to the store.
    fn set_fate(&mut self) {
        let fate = match self.random.below(64) {
            0 => Fate::Unanswered,
            1 => Fate::Lost,
            _ => Fate::Answered,
        };
        self.store.lock().fate = Some(fate);
    }

    fn show(&mut self, update: PublishedMessage) {
        let message = &update.prefix.promised.message;
        if message.is_sealed {
            let named = L1Condition { number: message.l1_block, hash: message.l1_hash };
            self.sealed.push((message.block_hash, named));
        }
        self.shown.push(update);
    }

    /// Makes a block the head, unless the node stops first.
    fn commit(&mut self, at: usize, block: L2Block, stop: Option<Stop>) {
        // Stops before or after the record.
        if stop.is_some() && self.random.one_in(2) {
            self.nodes[at].unsealed = Some(block);
            return;
        }
        self.set_fate();
        let node = &mut self.nodes[at];
        let signer = node.signer.as_mut().unwrap();
        let sealed = block.prefix(true, L1Condition::default());
        let is_sealed = signer.check_unsigned(&sealed.promised, &node.view).is_ok()
            && signer.record_sealed(sealed, true, &node.view).is_ok();
        self.store.lock().fate = None;
        if !is_sealed {
            node.leads &= self.store.lock().term == node.term;
            return;
        }
        if stop.is_some() {
            node.unsealed = Some(block);
            return;
        }
        let (number, hash) = (block.header.number, block.hash);
        let [finalized, safe] = [node.view.finalized_head(), node.view.advanced_head()]
            .map(|head| head.map(|head| head.number));
        signer.on_sealed(number, hash);
        if let Some(finalized) = finalized {
            let time = node.view.head().map_or(0, |head| head.timestamp);
            signer.forget_up_to(finalized, safe.unwrap_or(finalized), time);
        }
        node.head = hash;
        // A former leader may also seal a recorded block, which the next one seals too.
        if self.store.lock().term == node.term {
            self.feed = hash;
        }
        self.l2.insert(hash, block);
        self.counts.l2_blocks += 1;
        self.idle = 0;
    }
}
