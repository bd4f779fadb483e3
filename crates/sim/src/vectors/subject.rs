//! Valid and invalid inputs of EXECUTE, before they are encoded in a dialect.

use eyre::{OptionExt as _, Result};

/// An input and its expected verdict.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) name: String,
    /// Fork of L1, or its fork schedule.
    pub(super) fork: String,
    pub(super) input: Vec<u8>,
    pub(super) refusal: Option<Refusal>,
}

/// Expected rejection of a subject.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// Identifier of the reason.
    pub(super) reason: &'static str,
    /// Name of the valid subject that was changed.
    pub(super) neighbour: String,
}

/// Subjects of one kind.
#[derive(Debug, Default)]
pub(super) struct Subjects(pub(super) Vec<Subject>);

impl Subjects {
    /// Adds an input that an L1 at this fork accepts.
    pub(super) fn valid(&mut self, name: &str, fork: &str, input: Vec<u8>) {
        let (name, fork) = (name.to_owned(), fork.to_owned());
        self.0.push(Subject { name, fork, input, refusal: None });
    }

    /// Adds a changed input that the L1 of its neighbour rejects for this reason.
    pub(super) fn refused(
        &mut self,
        name: &str,
        neighbour: &str,
        reason: &'static str,
        input: Vec<u8>,
    ) -> Result<()> {
        let fork = self.fork_of(neighbour)?.to_owned();
        self.refused_by(&fork, name, neighbour, reason, input);
        Ok(())
    }

    /// Adds an input that an L1 with another fork schedule than the neighbour's rejects.
    pub(super) fn refused_by(
        &mut self,
        fork: &str,
        name: &str,
        neighbour: &str,
        reason: &'static str,
        input: Vec<u8>,
    ) {
        let refusal = Some(Refusal { reason, neighbour: neighbour.to_owned() });
        let name = format!("{neighbour}, {name}");
        self.0.push(Subject { name, fork: fork.to_owned(), input, refusal });
    }

    fn fork_of(&self, name: &str) -> Result<&str> {
        let valid = self.0.iter().find(|vector| vector.refusal.is_none() && vector.name == name);
        Ok(&valid.ok_or_eyre("no valid subject has this name")?.fork)
    }
}
