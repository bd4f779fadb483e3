//! Encoding of the queue in a checkpoint of L1's history.

use super::{MessageQueue, Sent};
use crate::l1::saved::{put_message, read_message};
use alloy_primitives::B256;
use contracts::bindings::INativeRollup::Checkpoint;
use disk::{DiskError, Reader, Writer};

impl MessageQueue {
    pub(crate) fn save(&self, out: &mut Writer) {
        let Self { forgotten, forgotten_root, messages, kept, kept_from, checkpoints, last } = self;
        out.word(*forgotten);
        out.raw(forgotten_root.as_slice());
        out.word(*kept_from);
        let (id, l1_block, timestamp) = last;
        for word in [id, l1_block, timestamp] {
            out.word(*word);
        }
        out.length(messages.len());
        for Sent { message, l1_block, root } in messages {
            put_message(out, message);
            out.word(*l1_block);
            out.raw(root.as_slice());
        }
        out.length(kept.len());
        for (index, hash) in kept {
            out.word(*index);
            out.raw(hash.as_slice());
        }
        out.length(checkpoints.len());
        for Checkpoint { id, count, l1Block, timestamp, root } in checkpoints {
            for word in [id, count, l1Block, timestamp] {
                out.word(*word);
            }
            out.raw(root.as_slice());
        }
    }

    /// Decodes the output of [`Self::save`].
    pub(crate) fn load(from: &mut Reader<'_>) -> Result<Self, DiskError> {
        let (forgotten, forgotten_root) = (from.word()?, from.array()?.into());
        let kept_from = from.word()?;
        let last = (from.word()?, from.word()?, from.word()?);
        let messages = from.list(|from| {
            let (message, l1_block) = (read_message(from)?, from.word()?);
            Ok(Sent { message, l1_block, root: from.array()?.into() })
        })?;
        let kept = from.list(|from| Ok((from.word()?, B256::new(from.array()?))))?;
        let checkpoints = from.list(|from| {
            Ok(Checkpoint {
                id: from.word()?,
                count: from.word()?,
                l1Block: from.word()?,
                timestamp: from.word()?,
                root: from.array()?.into(),
            })
        })?;
        Ok(Self {
            forgotten,
            forgotten_root,
            messages: messages.into_iter().collect(),
            kept: kept.into_iter().collect(),
            kept_from,
            checkpoints: checkpoints.into_iter().collect(),
            last,
        })
    }
}
