//! Named values, printed as text or JSON.

use crate::output::say;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Named values in order. Text output has the names as they are, JSON has them in camelCase
/// (`blockNumber`).
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, Field)>);

#[derive(Debug)]
enum Field {
    Value { value: Value, unit: &'static str },
    Group(Fields),
}

impl Fields {
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>, unit: &'static str) -> Self {
        self.0.push((name.to_owned(), Field::Value { value: value.into(), unit }));
        self
    }

    pub(super) fn group(mut self, name: &str, fields: Self) -> Self {
        self.0.push((name.to_owned(), Field::Group(fields)));
        self
    }

    /// Prints the fields, indented by `depth`.
    pub(super) fn print(&self, depth: usize) {
        let indent = "  ".repeat(depth);
        for (name, field) in &self.0 {
            match field {
                Field::Group(fields) => {
                    say!("{indent}{name}");
                    fields.print(depth + 1);
                }
                Field::Value { value, unit } => {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    say!("{}", format!("{indent}{name:<28}{value} {unit}").trim_end());
                }
            }
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, field)| (key(name), field)))
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value { value, .. } => value.serialize(serializer),
            Self::Group(fields) => fields.serialize(serializer),
        }
    }
}

/// Converts a name to a JSON key in camelCase.
fn key(name: &str) -> String {
    let mut words = name.split([' ', '-']);
    let mut key = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        key.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        key.push_str(letters.as_str());
    }
    key
}
