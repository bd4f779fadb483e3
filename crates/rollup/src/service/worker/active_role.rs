//! The role of a node.

use crate::{Follower, L2Error, RollupError, Sequencer, l1::poller::L1Poll, l2::syncer::L2Syncer};
use alloy_primitives::Bytes;
use chain::RecoveredTransaction;
use rpc_types::{Role, SubmitterStatus};

pub(crate) enum ActiveRole {
    Sequencer(Box<Sequencer>),
    Follower(Box<Follower>),
}

impl ActiveRole {
    /// Returns the name of the role in the log.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Sequencer(_) => "sequencer",
            Self::Follower(_) => "follower",
        }
    }

    /// Returns the role in the status.
    pub(super) const fn role(&self) -> Role {
        match self {
            Self::Sequencer(_) => Role::Sequencer,
            Self::Follower(_) => Role::Follower,
        }
    }

    pub(super) const fn sync(&self) -> &L2Syncer {
        match self {
            Self::Sequencer(sequencer) => sequencer.sync(),
            Self::Follower(follower) => follower.sync(),
        }
    }

    /// Queues a poll of L1, which [`Self::follow_l1`] applies.
    pub(super) fn queue_poll(&mut self, polled: L1Poll) {
        match self {
            Self::Sequencer(sequencer) => sequencer.queue_poll(polled),
            Self::Follower(follower) => follower.queue_poll(polled),
        }
    }

    pub(super) fn follow_l1(&mut self) -> Result<(), RollupError> {
        match self {
            Self::Sequencer(sequencer) => Ok(sequencer.follow_l1()?),
            Self::Follower(follower) => Ok(follower.follow_l1()?),
        }
    }

    /// Imports unsafe blocks of another node. A sequencer ignores them.
    pub(super) fn import_unsafe(&mut self, inputs: &[Bytes]) -> Result<(), L2Error> {
        let Self::Follower(follower) = self else { return Ok(()) };
        inputs.iter().try_for_each(|input| follower.import_unsafe(input).map(drop))
    }

    pub(super) fn requeued(&self) -> &[RecoveredTransaction] {
        match self {
            Self::Sequencer(sequencer) => sequencer.requeued(),
            Self::Follower(follower) => follower.requeued(),
        }
    }

    /// Returns the status of submission to L1, if this node is the sequencer.
    pub(super) fn submitter_status(&self) -> Option<SubmitterStatus> {
        match self {
            Self::Sequencer(sequencer) => Some(sequencer.submitter_status()),
            Self::Follower(_) => None,
        }
    }
}
