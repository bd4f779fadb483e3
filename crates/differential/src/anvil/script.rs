//! Scripts: lists of requests.
//!
//! A script file has one step per line:
//!
//! ```text
//! #! --no-mining                      arguments for both nodes
//! # a comment
//! eth_getBalance ["$a0", "latest"]    a request
//! tx = eth_sendTransaction [{…}]      the same, and its result is called `tx` from here on
//! let data = !call "set(uint256)" [7] a value that is computed here (see [`super::values`])
//! post [{"jsonrpc": …}]               a body that is sent unchanged
//! ```
//!
//! In parameters, the string `"$name"` is replaced by the value of that name and `"$name/path"` for
//! a part of it, by JSON pointer. A name may have another value on each node.

use serde_json::Value;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Position: the line of a file, or the number of a random step.
    pub line: usize,
    /// Name that is bound to the result.
    pub bind: Option<String>,
    /// Action of the step.
    pub action: Action,
}

/// The action of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A request to both nodes.
    Call {
        /// The method.
        method: String,
        /// The parameters, with names not yet replaced.
        params: Value,
    },
    /// A body that is sent unchanged to both nodes.
    Post(String),
    /// A value that the player computes; nothing is sent.
    Compute {
        /// Name of the computation.
        word: String,
        /// The argument, with names not yet replaced.
        argument: Value,
    },
}

/// Steps for two fresh nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Name in the report.
    pub name: String,
    /// Arguments with which both nodes are started.
    pub arguments: Vec<String>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// A line of a script that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("{script}, line {line}: {reason}")]
pub struct ScriptError {
    /// The script.
    pub script: String,
    /// The line, from 1.
    pub line: usize,
    /// The violation.
    pub reason: String,
}

impl Script {
    /// Parses a script.
    ///
    /// # Errors
    ///
    /// [`ScriptError`] for the first line that is not a step.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        let mut script = Self { name: name.to_owned(), arguments: Vec::new(), steps: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let (number, line) = (index + 1, line.trim());
            let failed =
                |reason: String| ScriptError { script: name.to_owned(), line: number, reason };
            if let Some(arguments) = line.strip_prefix("#!") {
                script.arguments.extend(arguments.split_whitespace().map(str::to_owned));
            } else if !line.is_empty() && !line.starts_with('#') {
                script.steps.push(step(number, line).map_err(failed)?);
            }
        }
        Ok(script)
    }

    /// Returns the number of requests in the script.
    pub fn requests(&self) -> usize {
        self.steps.iter().filter(|step| !matches!(step.action, Action::Compute { .. })).count()
    }
}

fn step(line: usize, text: &str) -> Result<Step, String> {
    let json = |text: &str| serde_json::from_str(text).map_err(|error| format!("{error}: {text}"));
    let (head, rest) = text.split_once(' ').ok_or("a method needs parameters")?;
    if head == "post" {
        return Ok(Step { line, bind: None, action: Action::Post(rest.trim().to_owned()) });
    }
    if head == "let" {
        let (name, value) = rest.split_once('=').ok_or("`let name = value`")?;
        let bind = Some(name.trim().to_owned());
        let action = match value.trim().strip_prefix('!') {
            Some(computed) => {
                let (word, argument) = computed.split_once(' ').ok_or("`!word argument`")?;
                Action::Compute { word: word.to_owned(), argument: json(argument)? }
            }
            None => Action::Compute { word: "value".to_owned(), argument: json(value)? },
        };
        return Ok(Step { line, bind, action });
    }
    let (bind, method, params) = match rest.trim_start().strip_prefix("= ") {
        Some(rest) => {
            let (method, params) = rest.trim_start().split_once(' ').ok_or("no parameters")?;
            (Some(head.to_owned()), method, params)
        }
        None => (None, head, rest),
    };
    let action = Action::Call { method: method.to_owned(), params: json(params)? };
    Ok(Step { line, bind, action })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_line_is_parsed() {
        let text = "#! --no-mining\n# comment\n\neth_chainId []\ntx = eth_call [{\"a\": 1}]\n\
                    let one = 1\nlet two = !call [\"f()\"]\npost {";
        let script = Script::parse("s", text).unwrap();
        assert_eq!(script.arguments, ["--no-mining"]);
        assert_eq!(script.requests(), 3);
        let call = Action::Call { method: "eth_call".into(), params: json!([{ "a": 1 }]) };
        assert_eq!(script.steps[1], Step { line: 5, bind: Some("tx".into()), action: call });
        assert_eq!(script.steps[4].action, Action::Post("{".into()));
    }

    #[test]
    fn invalid_line_is_named() {
        let error = Script::parse("s", "eth_chainId []\neth_call {").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(Script::parse("s", "eth_chainId").is_err());
    }
}
