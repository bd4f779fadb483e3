//! Mistakes with a name: `audit/mutants-named.toml`. Each was once in a copy of the contracts without a test that failed,
//! or is one that a reader of the rules would look for. None may survive, and none may go stale: the text that a
//! mistake replaces has to be in its file, once.

use std::{fs, path::Path};

use eyre::{WrapErr as _, ensure};
use serde::Deserialize;
use toolchain::Toolchain;

use super::{
    Options,
    campaign::{Campaign, Outcome},
    solidity::Mutant,
};

/// The list of mistakes, below the checkout.
const LIST: &str = "audit/mutants-named.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Named>,
}

/// One mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    /// The mistake, in a sentence.
    name: String,
    file: String,
    /// Text of the source that goes; once in the file.
    old: String,
    /// Replacement text.
    new: String,
}

impl Named {
    /// The mutant, as it is in this source of its file.
    fn find(&self, source: &str) -> eyre::Result<Mutant> {
        let places: Vec<_> = source.match_indices(&self.old).map(|(start, _)| start).collect();
        let [start] = places[..] else {
            eyre::bail!(
                "{LIST}: {}: the text to replace is {} times in {}, expected once",
                self.name,
                places.len(),
                self.file
            );
        };
        let place = start..start + self.old.len();
        Ok(Mutant { place, new: self.new.clone(), function: self.name.clone() })
    }
}

/// Tries the mutants of the list; whether all are caught.
pub(super) fn run(root: &Path, tools: &Toolchain, options: &Options) -> eyre::Result<bool> {
    let text = fs::read_to_string(root.join(LIST)).wrap_err(LIST)?;
    let List { mut mutant } = toml::from_str(&text).wrap_err(LIST)?;
    let is_asked = |file: &str| options.file.iter().any(|part| file.contains(part));
    mutant.retain(|one| options.file.is_empty() || is_asked(&one.file));
    ensure!(!mutant.is_empty(), "{LIST} has no mutant of such a file");
    let mut campaign = (!options.list).then(|| Campaign::new(root, tools)).transpose()?;
    let (mut caught, mut others) = (0, Vec::new());
    for one in &mutant {
        let source = fs::read_to_string(root.join(&one.file)).wrap_err_with(|| one.file.clone())?;
        let change = one.find(&source)?;
        let Some(campaign) = &mut campaign else {
            println!("{}: {}", one.file, one.name);
            continue;
        };
        let outcome = campaign.outcome(&one.file, &source, &change, options.quick)?;
        println!("{outcome:?} {}: {}", one.file, one.name);
        if matches!(outcome, Outcome::Caught | Outcome::Hangs) {
            caught += 1;
        } else {
            others.push(format!("{outcome:?} {}: {}", one.file, one.name));
        }
    }
    if options.list {
        return Ok(true);
    }
    println!("\n{caught} of {} named mutants are caught; the others:", mutant.len());
    others.iter().for_each(|other| println!("  {other}"));
    Ok(others.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(old: &str) -> Named {
        let own = str::to_owned;
        Named { name: own("a mistake"), file: own("a.sol"), old: own(old), new: own("c") }
    }

    #[test]
    fn a_mistake_is_made_where_its_text_is_once_and_nowhere_else() {
        let mutant = named("b").find("aba").unwrap();
        assert_eq!(mutant.apply("aba"), "aca");
        for (old, count) in [("a", 2), ("d", 0)] {
            let refused = named(old).find("aba").unwrap_err().to_string();
            assert!(refused.contains(&format!("is {count} times in a.sol")), "{refused}");
        }
    }

    #[test]
    fn each_mistake_of_the_list_can_be_made() {
        let root = toolchain::find_root().unwrap();
        let list: List = toml::from_str(&fs::read_to_string(root.join(LIST)).unwrap()).unwrap();
        assert!(list.mutant.len() >= 12);
        for one in &list.mutant {
            let source = fs::read_to_string(root.join(&one.file)).unwrap();
            let mutant = one.find(&source).unwrap();
            assert_ne!(mutant.apply(&source), source, "{}", one.name);
        }
    }
}
