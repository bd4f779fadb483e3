//! Templates of findings: definitions of keys, and text with `{{F-NN.key}}`.
//!
//! A template begins with lines `key = expression [format]`, up to a line of three dashes. Terms of
//! an expression are numbers and `file:/pointer`, joined by ` + `, ` - `, ` * ` and ` / ` and
//! evaluated from left to right. ` | ` separates alternatives, of which the first counts whose
//! files all exist: a measurement that is not made for each edition comes before the document that
//! had its figures first. The format is `.N` for decimals or `%N` for a share in per cent with N
//! decimals; without it the result is a whole number, rounded down. The format `text` is for a
//! single term that is a name in a data file, such as that of the slowest input.

use super::data::{Data, Kind};
use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure, eyre};
use std::collections::{BTreeMap, BTreeSet};

/// A figure in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// Key without the finding's id.
    pub(crate) key: String,
    /// Text without the mark.
    pub(crate) text: String,
    /// The weakest kind of all terms.
    pub(crate) kind: Kind,
    /// Names of the data files.
    pub(crate) files: BTreeSet<String>,
}

/// A filled template.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    /// Markdown.
    pub(crate) text: String,
    /// The figures, in the order of their definitions.
    pub(crate) figures: Vec<Figure>,
}

/// Format of a term that is no number.
const TEXT: &str = "text";

/// Fills a template.
///
/// # Errors
///
/// If a key is defined twice, unknown or unused, or if an expression has no value.
pub(crate) fn fill(id: &str, template: &str, data: &Data) -> Result<Filled> {
    let (head, body) = template.split_once("\n---\n").ok_or_eyre("no line of three dashes")?;
    let mut figures = BTreeMap::new();
    let mut order = Vec::new();
    for line in head.lines().filter(|line| !line.trim().is_empty()) {
        let (key, expression) = line.split_once(" = ").ok_or_else(|| eyre!("no key: {line}"))?;
        let figure = evaluate(key, expression, data).wrap_err_with(|| format!("{id}.{key}"))?;
        ensure!(figures.insert(key.to_owned(), figure.clone()).is_none(), "{id}.{key} twice");
        order.push(figure);
    }
    let (mut text, mut used) = (String::new(), BTreeSet::new());
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("{{") {
        let (key, after) = after.split_once("}}").ok_or_eyre("a key without an end")?;
        let own = key.strip_prefix(id).and_then(|suffix| suffix.strip_prefix('.'));
        let figure = own.and_then(|name| figures.get(name));
        let figure = figure.ok_or_else(|| eyre!("unknown key {key}"))?;
        used.insert(figure.key.clone());
        text += before;
        text += &figure.text;
        text += figure.kind.mark();
        rest = after;
    }
    text += rest;
    let unused: Vec<_> = figures.keys().filter(|key| !used.contains(*key)).collect();
    ensure!(unused.is_empty(), "{id}: unused keys {unused:?}");
    Ok(Filled { text, figures: order })
}

fn evaluate(key: &str, expression: &str, data: &Data) -> Result<Figure> {
    let (expression, format) = match expression.rsplit_once(' ') {
        Some((expression, format)) if format.starts_with(['.', '%']) || format == TEXT => {
            (expression, Some(format))
        }
        _ => (expression, None),
    };
    let mut alternatives: Vec<_> = expression.split(" | ").collect();
    let last = alternatives.pop().ok_or_eyre("no expression")?;
    let exists = |word: &str| word.split_once(':').is_none_or(|(file, _)| data.has(file));
    let chosen = alternatives.into_iter().find(|keys| keys.split_whitespace().all(exists));
    let chosen = chosen.unwrap_or(last);
    if format == Some(TEXT) {
        name(key, chosen, data)
    } else {
        term_by_term(key, chosen, format, data)
    }
}

/// Returns a figure that is a name.
fn name(key: &str, term: &str, data: &Data) -> Result<Figure> {
    let (file, pointer) = term.split_once(':').ok_or_eyre("no term")?;
    let (kind, value) = data.get(file, &pointer.replace('~', " "))?;
    let text = value.as_str().ok_or_else(|| eyre!("{value} is no text"))?.to_owned();
    Ok(Figure { key: key.to_owned(), text, kind, files: BTreeSet::from([file.to_owned()]) })
}

fn term_by_term(key: &str, expression: &str, format: Option<&str>, data: &Data) -> Result<Figure> {
    let (mut kind, mut files) = (Kind::Exact, BTreeSet::new());
    let mut term = |word: &str| -> Result<f64> {
        let Some((file, pointer)) = word.split_once(':') else {
            return word.replace('_', "").parse().wrap_err_with(|| format!("no term: {word}"));
        };
        files.insert(file.to_owned());
        // A space separates terms, so a pointer has a tilde instead.
        let (of, value) = data.number(file, &pointer.replace('~', " "))?;
        kind = kind.max(of);
        Ok(value)
    };
    let mut words = expression.split_whitespace();
    let mut value = term(words.next().ok_or_eyre("no expression")?)?;
    while let Some(operator) = words.next() {
        let other = term(words.next().ok_or_eyre("an operator without a term")?)?;
        value = match operator {
            "+" => value + other,
            "-" => value - other,
            "*" => value * other,
            "/" => value / other,
            _ => bail!("unknown operator {operator}"),
        };
    }
    ensure!(value.is_finite(), "{value} is no figure");
    Ok(Figure { key: key.to_owned(), text: written(value, format)?, kind, files })
}

/// Formats a number, with a comma before each three digits.
pub(crate) fn written(value: f64, format: Option<&str>) -> Result<String> {
    let digits = |format: &str| format[1..].parse::<usize>().wrap_err("no number of digits");
    Ok(match format {
        Some(format) if format.starts_with('%') => {
            format!("{:.*} %", digits(format)?, 100.0 * value)
        }
        Some(format) => format!("{value:.*}", digits(format)?),
        None => {
            // Not rounded up: a limit suffices for no more.
            let text = format!("{:.0}", (value + 1e-6).floor());
            let groups: Vec<_> =
                text.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
            groups.join(",")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String> {
        fill("F-01", template, &Data::default()).map(|page| page.text)
    }

    #[test]
    fn keys_are_filled_and_marked() {
        let text =
            "gas = 60000000 / 23240\nshare = 1 / 8 %1\n\n---\n{{F-01.gas}} and {{F-01.share}}";
        assert_eq!(filled(text).unwrap(), "2,581ᵉ and 12.5 %ᵉ");
    }

    #[test]
    fn first_alternative_with_files_counts() {
        let of = |expression: &str| filled(&format!("a = {expression}\n\n---\n{{{{F-01.a}}}}"));
        assert_eq!(of("none:/x | 2 * 3").unwrap(), "6ᵉ");
        assert_eq!(of("7 | none:/x .1").unwrap(), "7.0ᵉ");
        assert!(of("none:/x | none:/y").is_err());
    }

    #[test]
    fn names_are_filled_from_data() {
        let figures = serde_json::json!({ "worst": { "name": "a call", "ratio": 2 } });
        let data = Data::of([("model", figures)]);
        let of = |expression: &str| {
            fill("F-01", &format!("a = {expression}\n\n---\n{{{{F-01.a}}}}"), &data)
        };
        assert_eq!(of("model:/worst/name text").unwrap().text, "a callᵉ");
        assert_eq!(of("none:/x | model:/worst/name text").unwrap().text, "a callᵉ");
        assert!(of("model:/worst/ratio text").is_err());
        assert!(of("model:/worst/name").is_err());
    }

    #[test]
    fn unknown_unused_and_undefined_keys_fail() {
        for (template, error) in [
            ("a = 1\n\n---\nno key", "unused"),
            ("a = 1\n\n---\n{{F-01.a}} {{F-01.b}}", "unknown key F-01.b"),
            ("a = 1\n\n---\n{{F-01.a}} {{F-02.a}}", "unknown key F-02.a"),
            ("a = 1\na = 2\n\n---\n{{F-01.a}}", "twice"),
            ("a = 1 / 0\n\n---\n{{F-01.a}}", "F-01.a"),
            ("a = none:/x\n\n---\n{{F-01.a}}", "F-01.a"),
        ] {
            let got = format!("{:#}", filled(template).unwrap_err());
            assert!(got.contains(error), "{template}: {got}");
        }
    }
}
