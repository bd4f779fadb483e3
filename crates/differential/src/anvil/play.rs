//! Execution of a script on two nodes.

use crate::anvil::{
    Comparison, Difference, Launch, Node, Script, Step,
    node::NodeError,
    script::Action,
    values::{WordError, compute, key},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    thread::sleep,
    time::{Duration, Instant},
};

/// Creation code of `contracts/Probe.sol`, compiled for Osaka with the optimizer and without
/// metadata.
const PROBE: &str = include_str!("../../anvil/contracts/Probe.hex");

/// Creation code of the probe for forks before the merge: compiled for Istanbul, with 0 in place of
/// the base fee.
const PROBE_ISTANBUL: &str = include_str!("../../anvil/contracts/ProbeIstanbul.hex");

/// Methods for which anvil sees a new block only after a delay. If responses differ, anvil is
/// called again, while the first response of the other node counts.
const LATE: [&str; 2] = ["eth_feeHistory", "eth_gasPrice"];
const LATE_TRIES: usize = 5;

/// Reason why a script cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// A node failed below JSON-RPC.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A step cannot be executed.
    #[error("{script}, step {line}: {reason}")]
    Step {
        /// The script.
        script: String,
        /// The step.
        line: usize,
        /// The reason.
        reason: WordError,
    },
}

/// A request and its outcome.
#[derive(Debug, Clone)]
pub struct Record {
    /// The script.
    pub script: String,
    /// Line of the script, or number of the random step.
    pub line: usize,
    /// The method.
    pub method: String,
    /// The parameters sent to the reference.
    pub params: String,
    /// Response of the reference.
    pub answer: Value,
    /// Differences between the responses.
    pub differences: Vec<Difference>,
    /// Response times of the reference and the subject.
    pub times: [Duration; 2],
}

/// Two fresh nodes and the values of their responses.
#[derive(Debug)]
pub struct Player {
    nodes: [Node; 2],
    names: [HashMap<String, Value>; 2],
    /// For each node, `true` if it may see a new block [late](LATE): the reference, and a subject
    /// that is the same program.
    may_be_late: [bool; 2],
    comparison: Comparison,
    script: String,
    /// Number of repetitions of each request whose result has no name.
    repetitions: usize,
}

impl Player {
    /// Starts the two nodes, reference first, with the arguments of a script.
    ///
    /// # Errors
    ///
    /// [`PlayError::Node`] if one does not start.
    pub fn start(
        launches: [&Launch; 2],
        script: &str,
        arguments: &[String],
    ) -> Result<Self, PlayError> {
        let nodes = [Node::start(launches[0], arguments)?, Node::start(launches[1], arguments)?];
        let mut known = HashMap::new();
        for index in 0..10 {
            known.insert(format!("a{index}"), json!(key(index).address()));
        }
        known.insert("Probe".to_owned(), json!(PROBE.trim()));
        known.insert("ProbeIstanbul".to_owned(), json!(PROBE_ISTANBUL.trim()));
        let names = [known.clone(), known];
        let may_be_late = [true, launches[0].program == launches[1].program];
        let comparison = Comparison::default();
        let script = script.to_owned();
        Ok(Self { nodes, names, may_be_late, comparison, script, repetitions: 0 })
    }

    /// Executes a whole script on two fresh nodes.
    ///
    /// # Errors
    ///
    /// [`PlayError`] for the first step that cannot be executed. Differences are not errors.
    pub fn play(launches: [&Launch; 2], script: &Script) -> Result<Vec<Record>, PlayError> {
        Self::play_repeating(launches, script, 0)
    }

    /// Like [`Self::play`], but repeats each request whose result has no name, and returns median
    /// times of these only.
    ///
    /// # Errors
    ///
    /// As [`Self::play`].
    pub fn play_repeating(
        launches: [&Launch; 2],
        script: &Script,
        repetitions: usize,
    ) -> Result<Vec<Record>, PlayError> {
        let mut player = Self::start(launches, &script.name, &script.arguments)?;
        player.repetitions = repetitions;
        let mut records = Vec::with_capacity(script.steps.len());
        for step in &script.steps {
            records.extend(player.step(step)?);
        }
        Ok(records)
    }

    /// Executes one step; `None` for a step that sends nothing.
    ///
    /// # Errors
    ///
    /// [`PlayError`] if it cannot be executed.
    pub fn step(&mut self, step: &Step) -> Result<Option<Record>, PlayError> {
        let bad = |script: &str, reason| PlayError::Step {
            script: script.to_owned(),
            line: step.line,
            reason,
        };
        let mut times = [Duration::ZERO; 2];
        let (method, params, answers) = match &step.action {
            Action::Compute { word, argument } => {
                for names in &mut self.names {
                    let value = compute(word, &fill(argument, names))
                        .map_err(|reason| bad(&self.script, reason))?;
                    names.insert(step.bind.clone().unwrap_or_default(), value);
                }
                return Ok(None);
            }
            Action::Post(body) => {
                let answers = [
                    timed(&mut times[0], || self.nodes[0].post("post", body))?,
                    timed(&mut times[1], || self.nodes[1].post("post", body))?,
                ];
                ("post".to_owned(), body.clone(), answers)
            }
            Action::Call { method, params } => {
                let filled = [fill(params, &self.names[0]), fill(params, &self.names[1])];
                let mut answers = [
                    timed(&mut times[0], || self.nodes[0].call(method, &filled[0]))?,
                    timed(&mut times[1], || self.nodes[1].call(method, &filled[1]))?,
                ];
                for _ in 0..LATE_TRIES * usize::from(LATE.contains(&method.as_str())) {
                    let [reference, subject] = &answers;
                    if self.comparison.clone().compare(method, reference, subject).is_empty() {
                        break;
                    }
                    sleep(Duration::from_millis(20));
                    for index in (0..2).filter(|index| self.may_be_late[*index]) {
                        answers[index] = self.nodes[index].call(method, &filled[index])?;
                    }
                }
                if self.repetitions > 0 {
                    times = match step.bind {
                        None => self.repeat(method, &filled, times)?,
                        Some(_) => [Duration::ZERO; 2],
                    };
                }
                (method.clone(), filled[0].to_string(), answers)
            }
        };
        for node in &self.nodes {
            settle_after(&method, node)?;
        }
        // Pending and simulated blocks are not part of the chain, so hashes that first occur there
        // are not paired.
        let passing = method == "eth_simulateV1" || params.contains("\"pending\"");
        let differences = if passing {
            self.comparison.clone().compare(&method, &answers[0], &answers[1])
        } else {
            self.comparison.compare(&method, &answers[0], &answers[1])
        };
        if method == "evm_revert" && answers[0]["result"] == json!(true) {
            self.comparison.went_back();
        }
        if let Some(name) = &step.bind {
            for (names, answer) in self.names.iter_mut().zip(&answers) {
                names.insert(name.clone(), answer["result"].clone());
            }
        }
        Ok(Some(Record {
            script: self.script.clone(),
            line: step.line,
            method,
            params,
            answer: answers.into_iter().next().unwrap_or_default(),
            differences,
            times,
        }))
    }

    /// Repeats a request to both nodes in turn, and returns the median times.
    fn repeat(
        &self,
        method: &str,
        params: &[Value; 2],
        first: [Duration; 2],
    ) -> Result<[Duration; 2], NodeError> {
        let mut times = first.map(|time| vec![time]);
        for turn in 0..self.repetitions {
            for index in [turn % 2, (turn + 1) % 2] {
                let (node, mut time) = (&self.nodes[index], Duration::ZERO);
                settle_after(method, node)?;
                timed(&mut time, || node.call(method, &params[index]))?;
                times[index].push(time);
            }
        }
        Ok(times.map(median))
    }

    /// Returns the value that the reference has bound to `name`.
    pub fn known(&self, name: &str) -> Option<&Value> {
        self.names[0].get(name)
    }
}

/// Returns the median, or zero without times.
pub(super) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Runs `ask` and adds its duration to `took`.
fn timed<T>(took: &mut Duration, ask: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let answer = ask();
    *took = begun.elapsed();
    answer
}

/// Waits until an automining node has mined all executable transactions after a method that sends
/// one, because it responds before mining.
fn settle_after(method: &str, node: &Node) -> Result<(), NodeError> {
    const LONGEST: Duration = Duration::from_millis(200);
    let nothing = json!([]);
    let sends = method.contains("sendTransaction") || method.contains("RawTransaction");
    if !sends || node.call("anvil_getAutomine", &nothing)?["result"] != json!(true) {
        return Ok(());
    }
    let begun = Instant::now();
    while begun.elapsed() < LONGEST
        && node.call("txpool_status", &nothing)?["result"]["pending"] != json!("0x0")
    {
        sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Replaces names by their values, also in the keys of objects.
fn fill(value: &Value, names: &HashMap<String, Value>) -> Value {
    match value {
        Value::String(text) => look_up(text, names).unwrap_or_else(|| value.clone()),
        Value::Array(items) => items.iter().map(|item| fill(item, names)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, item)| {
                let known = look_up(name, names);
                let name = known.as_ref().and_then(Value::as_str).unwrap_or(name).to_owned();
                (name, fill(item, names))
            })
            .collect(),
        _ => value.clone(),
    }
}

/// Returns the value of `$name` or `$name/path`, null if it is unknown; `None` for any other text.
fn look_up(text: &str, names: &HashMap<String, Value>) -> Option<Value> {
    let reference = text.strip_prefix('$')?;
    let (name, path) = reference.split_at(reference.find('/').unwrap_or(reference.len()));
    Some(names.get(name).and_then(|value| value.pointer(path)).cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_unknown_ones_are_null() {
        let names = HashMap::from([("r".to_owned(), json!({ "to": "0x1" }))]);
        let filled = fill(&json!([{ "$r/to": ["$r/to", "$x", "r"] }]), &names);
        assert_eq!(filled, json!([{ "0x1": ["0x1", null, "r"] }]));
    }
}
