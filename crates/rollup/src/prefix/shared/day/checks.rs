//! Checks of all messages against all L1 chains of the simulation.

use super::{DOMAIN, L2Block, MAX_LAG, PublishedMessage, Simulation};
use alloy_primitives::B256;
use preconf::{
    evidence::{SignedHeader, first_difference},
    faults::{Canonical, Context, Offence, Refusal, broken, equivocation, late},
};
use std::collections::{BTreeMap, BTreeSet};

impl Simulation {
    /// Returns the block with this number on the L1 chain with this head.
    fn ancestor(&self, head: B256, number: u64) -> Option<B256> {
        let mut cursor = head;
        while self.l1.get(&cursor)?.number > number {
            cursor = self.l1[&cursor].parent;
        }
        (self.l1[&cursor].number == number).then_some(cursor)
    }

    /// Runs a check on the L1 chain with this head.
    fn check<T>(&self, head: B256, check: impl FnOnce(&Context<'_>) -> T) -> T {
        check(&Context {
            domain: DOMAIN,
            account_of: &|signer| signer,
            l1_hash: &|number| self.ancestor(head, number),
            post_within: MAX_LAG / 2,
        })
    }

    /// Returns the heads of the L1 chains that two L1 blocks can be on. The later block decides
    /// whether both are.
    fn heads(&self, a: B256, b: B256) -> BTreeSet<B256> {
        let canonical = [a, b].into_iter().filter(|hash| self.l1.contains_key(hash));
        let heads: BTreeSet<_> = canonical.collect();
        if heads.is_empty() { self.canonical.last().copied().into_iter().collect() } else { heads }
    }

    pub(super) fn verdicts(&self) -> Verdicts {
        let mut verdicts = Verdicts::default();
        let mut by_number = BTreeMap::<u64, Vec<&PublishedMessage>>::new();
        for published in &self.shown {
            by_number.entry(published.prefix.promised.header.number).or_default().push(published);
        }
        let mut posted = BTreeMap::<u64, Vec<(B256, B256)>>::new();
        for (l1_hash, l1_block) in &self.l1 {
            for hash in &l1_block.posted {
                let number = self.l2[hash].header.number;
                posted.entry(number).or_default().push((*l1_hash, *hash));
            }
        }
        for (number, all) in &by_number {
            for (index, a) in all.iter().enumerate() {
                for b in &all[index + 1..] {
                    self.check_pair(a, b, &mut verdicts);
                }
                for (l1_hash, block) in posted.get(number).into_iter().flatten() {
                    self.check_posted(a, *l1_hash, &self.l2[block], &mut verdicts);
                }
                self.check_late(a, *number, &mut verdicts);
            }
        }
        verdicts
    }

    fn check_pair(&self, a: &PublishedMessage, b: &PublishedMessage, verdicts: &mut Verdicts) {
        verdicts.pairs += 1;
        let (first, second) = (a.signed(), b.signed());
        let proof = first_difference(&a.prefix.transactions, &b.prefix.transactions);
        for head in self.heads(first.message.l1_hash, second.message.l1_hash) {
            let checked = self.check(head, |context| {
                equivocation(&first.as_signed(), &second.as_signed(), &proof, context)
            });
            verdicts.add("equivocation", checked, || format!("{a:?}\n{b:?}"));
        }
    }

    fn check_posted(
        &self,
        a: &PublishedMessage,
        l1_hash: B256,
        block: &L2Block,
        verdicts: &mut Verdicts,
    ) {
        let signed = a.signed();
        let header = alloy_rlp::encode(&block.header);
        let canonical = Canonical { header: &header, hash: block.hash };
        let proof = first_difference(&a.prefix.transactions, &block.transactions);
        for head in self.heads(signed.message.l1_hash, l1_hash) {
            // On other chains the rollup does not include the block.
            if self.ancestor(head, self.l1[&l1_hash].number) == Some(l1_hash) {
                verdicts.posted += 1;
                let checked = self
                    .check(head, |context| broken(&signed.as_signed(), canonical, &proof, context));
                verdicts.add("broken", checked, || format!("{a:?}\n{block:?}"));
            }
        }
    }

    /// Checks a message at the last L1 block before the rollup includes its block.
    fn check_late(&self, a: &PublishedMessage, number: u64, verdicts: &mut Verdicts) {
        let number_at = |hash: &B256| self.l2[&self.l1[hash].head].header.number;
        let before = self.canonical.partition_point(|hash| number_at(hash) < number);
        let Some(last) = before.checked_sub(1).map(|at| self.canonical[at]) else { return };
        let (head, now) = (number_at(&last), self.l1[&last].timestamp);
        let signed = a.signed();
        let checked = self.check(last, |context| late(&signed.as_signed(), head, now, 0, context));
        verdicts.late += u64::from(checked.is_ok());
    }
}

impl PublishedMessage {
    fn signed(&self) -> SignedHeader {
        let message = self.prefix.promised.message;
        SignedHeader { message, signature: self.signature, header: self.prefix.header.clone() }
    }
}

#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub(super) pairs: u64,
    /// Number of messages checked against a block of the rollup.
    pub(super) posted: u64,
    pub(super) late: u64,
    pub(super) refusals: BTreeMap<(&'static str, String), u64>,
    pub(super) faults: Vec<String>,
}

impl Verdicts {
    fn add(
        &mut self,
        fault: &'static str,
        checked: Result<Offence, Refusal>,
        what: impl FnOnce() -> String,
    ) {
        match checked {
            Ok(offence) => self.faults.push(format!("{fault}: {offence:?}\n{}", what())),
            Err(refusal) => {
                let is_form = matches!(refusal, Refusal::Proof(_) | Refusal::Header(_));
                assert!(!is_form, "the evidence itself is in order: {refusal}");
                let name = format!("{refusal:?}");
                let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
                *self.refusals.entry((fault, name)).or_default() += 1;
            }
        }
    }

    pub(super) fn refused(&self, reason: &str) -> u64 {
        self.refusals
            .iter()
            .filter(|((_, refusal), _)| refusal == reason)
            .map(|(_, count)| count)
            .sum()
    }
}
