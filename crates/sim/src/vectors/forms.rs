//! Subjects as calls of each dialect.

use super::{
    carrier,
    case::{CarriedBlob, Case},
    subject::{Subject, Subjects},
};
use alloy_primitives::Bytes;
use codec::SignedExecuteTx;
use eyre::{OptionExt as _, Result, WrapErr as _};
use variants::{DialectCall, DialectName};

/// Gas limit of calls that must not run out of gas.
pub(super) const PLENTY: u64 = 50_000_000;

/// Cases of one dialect.
#[derive(Debug)]
pub(super) struct Cases {
    dialect: DialectName,
    pub(super) cases: Vec<Case>,
    /// Descriptions of calls with an unexpected outcome.
    pub(super) wrong: Vec<String>,
}

/// Expected outcome of a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected<'a> {
    /// The call succeeds and reports a valid input.
    Accepted,
    /// The call succeeds and reports an invalid input or a false claim, for this reason.
    Denied(&'a str),
    /// The call fails for this reason.
    Failed(&'a str),
}

impl Cases {
    pub(super) const fn new(dialect: DialectName) -> Self {
        Self { dialect, cases: Vec::new(), wrong: Vec::new() }
    }

    /// Returns the name of a case of this dialect.
    fn name(&self, name: &str) -> String {
        format!("{}: {name}", self.dialect)
    }

    /// Adds each subject that can be encoded in this dialect.
    pub(super) fn all(&mut self, subjects: &Subjects) -> Result<()> {
        for subject in &subjects.0 {
            if let Ok(call) = self.dialect.encode(&subject.input) {
                self.subject(subject, &call)?;
            }
        }
        Ok(())
    }

    /// Adds a call with a subject, and, if it is valid, one with too little gas.
    pub(super) fn subject(&mut self, subject: &Subject, call: &DialectCall) -> Result<()> {
        let Subject { name, fork, refusal, .. } = subject;
        match refusal {
            None => self.accepted(name, fork, "default", call),
            Some(refusal) => {
                let case = self.case(name, fork, call, PLENTY)?;
                let expected = match self.dialect {
                    DialectName::Drake => Expected::Denied(refusal.reason),
                    DialectName::Specs
                    | DialectName::Blobs
                    | DialectName::Nested
                    | DialectName::Draft8079
                    | DialectName::ExecuteTx
                    | DialectName::Headers
                    | DialectName::HeadersBlobs => Expected::Failed(refusal.reason),
                };
                self.push(case, Some(&refusal.neighbour), expected)
            }
        }
    }

    /// Adds a call that succeeds with the minimum gas, and one that fails with one gas less.
    pub(super) fn accepted(
        &mut self,
        name: &str,
        fork: &str,
        schedule: &str,
        call: &DialectCall,
    ) -> Result<()> {
        let case = self.case(name, fork, call, PLENTY)?;
        self.with_least_gas(Case { schedule: schedule.to_owned(), ..case }, name)
    }

    fn with_least_gas(&mut self, mut case: Case, name: &str) -> Result<()> {
        case.gas = case.run().wrap_err_with(|| case.name.clone())?.reserve;
        let short = Case {
            name: format!("{}, one gas too little", case.name),
            gas: case.gas.saturating_sub(1),
            ..case.clone()
        };
        self.push(case, None, Expected::Accepted)?;
        self.push(short, Some(name), Expected::Failed("outOfGas"))
    }

    /// Adds a rejected neighbour of an accepted call, whose outcome depends on more than the input.
    pub(super) fn refused(
        &mut self,
        what: &str,
        neighbour: &str,
        expected: Expected<'_>,
        call: &DialectCall,
    ) -> Result<()> {
        let wanted = self.name(neighbour);
        let of = self.cases.iter().find(|case| case.name == wanted);
        let fork = of.ok_or_eyre("the neighbour has another name")?.fork.clone();
        let case = self.case(&format!("{neighbour}, {what}"), &fork, call, PLENTY)?;
        self.push(case, Some(neighbour), expected)
    }

    fn case(&self, name: &str, fork: &str, call: &DialectCall, gas: u64) -> Result<Case> {
        if self.dialect == DialectName::ExecuteTx {
            return self.case_in(name, fork, &carrier::around(call), gas);
        }
        Ok(Case {
            blobs: call.blobs.iter().map(|blob| CarriedBlob::of(blob)).collect::<Result<_>>()?,
            ..self.case_of(name, fork, &call.calldata, gas)
        })
    }

    /// Returns a call within a transaction of type `0x05`.
    fn case_in(&self, name: &str, fork: &str, tx: &SignedExecuteTx, gas: u64) -> Result<Case> {
        let transaction = Some(tx.encode().into());
        Ok(Case { transaction, ..self.case_of(name, fork, &tx.tx.input, gas) })
    }

    /// Adds a rejected neighbour of an accepted call within a transaction.
    pub(super) fn refused_in(
        &mut self,
        what: &str,
        neighbour: &str,
        reason: &str,
        tx: &SignedExecuteTx,
    ) -> Result<()> {
        let case = self.case_in(&format!("{neighbour}, {what}"), "osaka", tx, PLENTY)?;
        self.push(case, Some(neighbour), Expected::Failed(reason))
    }

    /// Adds a call within a transaction that succeeds with the minimum gas, and one with one gas
    /// less.
    pub(super) fn accepted_in(&mut self, name: &str, tx: &SignedExecuteTx) -> Result<()> {
        let case = self.case_in(name, "osaka", tx, PLENTY)?;
        self.with_least_gas(case, name)
    }

    fn case_of(&self, name: &str, fork: &str, calldata: &[u8], gas: u64) -> Case {
        Case {
            name: self.name(name),
            dialect: self.dialect.to_string(),
            fork: fork.to_owned(),
            schedule: "default".to_owned(),
            gas,
            input: Bytes::copy_from_slice(calldata),
            blobs: Vec::new(),
            transaction: None,
            answer: None,
            gas_charged: 0,
            reason: None,
            neighbour: None,
        }
    }

    /// Adds a case with its outcome, and records if that is not the expected one.
    fn push(
        &mut self,
        mut case: Case,
        neighbour: Option<&str>,
        expected: Expected<'_>,
    ) -> Result<()> {
        let got = case.run().wrap_err_with(|| case.name.clone())?;
        let as_expected = match expected {
            Expected::Accepted => got.answer.is_some() && got.reason.is_none(),
            Expected::Denied(reason) => {
                got.answer.is_some() && got.reason.as_deref() == Some(reason)
            }
            Expected::Failed(reason) => {
                got.answer.is_none() && got.reason.as_deref() == Some(reason)
            }
        };
        if !as_expected {
            self.wrong.push(format!("{}: got {got:?}, expected {expected:?}", case.name));
        }
        let neighbour = neighbour.map(|name| self.name(name));
        if let Some(neighbour) = &neighbour {
            let mut accepted = self.cases.iter().filter(|case| case.reason.is_none());
            if !accepted.any(|case| case.name == *neighbour) {
                self.wrong.push(format!("{}: no accepted case is called {neighbour}", case.name));
            }
        }
        case.answer = got.answer;
        case.gas_charged = got.gas_charged;
        case.reason = got.reason;
        case.neighbour = neighbour;
        self.cases.push(case);
        Ok(())
    }
}
