//! Check that no shipped program links a crate for tests.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
};

use eyre::OptionExt as _;
use serde_json::Value;

use crate::crates;

/// Crates that reach users; what they link does too.
const SHIPPED: [&str; 2] = ["enshrine-cli", "enshrine-contracts"];

/// Crates that know the checkout they were built in, or keys that everybody knows.
const FOR_TESTS: [&str; 5] = [
    "enshrine-differential",
    "enshrine-fuzzing",
    "enshrine-localnet",
    "enshrine-testkit",
    "enshrine-toolchain",
];

/// The ways by which crates for tests get into what is shipped.
pub(crate) fn check(root: &Path) -> eyre::Result<Vec<String>> {
    let metadata = crates::metadata(root, &[])?;
    let graph = Graph::read(&metadata).ok_or_eyre("cargo metadata has another form")?;
    let mut ways = Vec::new();
    for shipped in SHIPPED {
        for for_tests in FOR_TESTS {
            if let Some(way) = graph.way(shipped, for_tests)? {
                ways.push(format!("{shipped} links {for_tests}: {}", way.join(" -> ")));
            }
        }
    }
    Ok(ways)
}

/// Packages and what they link: dependencies of build scripts too, those of tests not.
#[derive(Debug)]
struct Graph<'m> {
    names: BTreeMap<&'m str, &'m str>,
    links: BTreeMap<&'m str, Vec<&'m str>>,
}

impl<'m> Graph<'m> {
    /// Reads the answer of `cargo metadata`.
    fn read(metadata: &'m Value) -> Option<Self> {
        let mut names = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            names.insert(package["id"].as_str()?, package["name"].as_str()?);
        }
        let mut links = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array()? {
            let mut linked = Vec::new();
            for dependency in node["deps"].as_array()? {
                let kinds = dependency["dep_kinds"].as_array()?;
                if kinds.iter().any(|kind| kind["kind"].as_str() != Some("dev")) {
                    linked.push(dependency["pkg"].as_str()?);
                }
            }
            links.insert(node["id"].as_str()?, linked);
        }
        Some(Self { names, links })
    }

    fn id(&self, name: &str) -> eyre::Result<&'m str> {
        let found = self.names.iter().find(|(_, other)| **other == name);
        found.map(|(id, _)| *id).ok_or_else(|| eyre::eyre!("there is no package {name}"))
    }

    /// The shortest way from one package to another, by name.
    fn way(&self, from: &str, to: &str) -> eyre::Result<Option<Vec<&'m str>>> {
        let (from, to) = (self.id(from)?, self.id(to)?);
        let mut before = BTreeMap::from([(from, from)]);
        let mut open = VecDeque::from([from]);
        while let Some(id) = open.pop_front() {
            if id == to {
                let mut way = vec![id];
                while let Some(id) = way.last().filter(|id| **id != from) {
                    way.push(before[id]);
                }
                return Ok(Some(way.into_iter().rev().map(|id| self.names[id]).collect()));
            }
            for linked in self.links.get(id).into_iter().flatten().copied() {
                before.entry(linked).or_insert_with(|| {
                    open.push_back(linked);
                    id
                });
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(kind: &Value) -> Value {
        let node = |id: &str, to: &str, kind: &Value| json!({ "id": id, "deps": [{ "pkg": to, "dep_kinds": [{ "kind": kind }] }] });
        json!({
            "packages": [
                { "id": "1", "name": "shipped" },
                { "id": "2", "name": "between" },
                { "id": "3", "name": "for-tests" },
            ],
            "resolve": { "nodes": [
                node("1", "2", &Value::Null),
                node("2", "3", kind),
                { "id": "3", "deps": [] },
            ] },
        })
    }

    #[test]
    fn what_is_linked_is_found_with_the_way_to_it() {
        for kind in [json!(null), json!("build")] {
            let metadata = metadata(&kind);
            let graph = Graph::read(&metadata).unwrap();
            let way = graph.way("shipped", "for-tests").unwrap().unwrap();
            assert_eq!(way, ["shipped", "between", "for-tests"]);
        }
    }

    #[test]
    fn what_only_tests_depend_on_is_not_linked() {
        let metadata = metadata(&json!("dev"));
        let graph = Graph::read(&metadata).unwrap();
        assert_eq!(graph.way("shipped", "for-tests").unwrap(), None);
        assert!(graph.way("shipped", "between").unwrap().is_some());
    }

    #[test]
    fn a_dependency_of_both_kinds_is_linked() {
        let mut metadata = metadata(&json!("dev"));
        let kinds = &mut metadata["resolve"]["nodes"][1]["deps"][0]["dep_kinds"];
        *kinds = json!([{ "kind": "dev" }, { "kind": null }]);
        let graph = Graph::read(&metadata).unwrap();
        assert!(graph.way("shipped", "for-tests").unwrap().is_some());
    }

    #[test]
    fn a_package_that_is_called_otherwise_now_is_missed() {
        let metadata = metadata(&json!("dev"));
        let graph = Graph::read(&metadata).unwrap();
        assert!(graph.way("shipped", "gone").is_err() && graph.way("gone", "shipped").is_err());
    }
}
