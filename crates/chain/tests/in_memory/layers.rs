//! The modules of this crate form layers: their dependencies have no cycle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Returns a file without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the text after each `marker` up to `end`.
fn words_behind<'c>(code: &'c str, marker: &str, end: char) -> Vec<&'c str> {
    code.split(marker)
        .skip(1)
        .flat_map(|rest| {
            rest.split(end).next().unwrap_or_default().split([' ', ',', '{', '}', ':', '('])
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Returns the modules that each module of this crate uses.
fn arrows() -> Arrows {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = code(&source.join("lib.rs"));
    let modules: BTreeSet<&str> = words_behind(&lib, " mod ", ';').into_iter().collect();
    // Module of each name that the crate exports.
    let mut homes: BTreeMap<&str, &str> = modules.iter().map(|name| (*name, *name)).collect();
    for export in lib.split("pub use ").skip(1) {
        let export = export.split(';').next().unwrap();
        let (module, names) = export.split_once("::").unwrap();
        if modules.contains(module) {
            let names = names.split([' ', ',', '{', '}']).filter(|name| !name.is_empty());
            homes.extend(names.map(|name| (name, module)));
        }
    }
    let arrows_of = |module: &str| {
        let code = code(&source.join(module).with_extension("rs"));
        // Tests may use any module.
        let code = code.split("#[cfg(test)]").next().unwrap();
        let mut used = words_behind(code, "use crate::", ';');
        used.extend(
            code.split("crate::")
                .skip(1)
                .flat_map(|rest| rest.split([':', ';', ' ', '(', '{']).next()),
        );
        used.iter()
            .filter_map(|name| homes.get(name))
            .filter(|home| **home != module)
            .map(|home| (*home).to_owned())
            .collect()
    };
    modules.iter().map(|module| ((*module).to_owned(), arrows_of(module))).collect()
}

/// Returns the modules in an order in which each uses only those before it, and the remaining ones,
/// which contain a cycle.
fn layered(mut arrows: Arrows) -> (Vec<String>, Arrows) {
    let mut order: Vec<String> = Vec::new();
    while let Some(next) = arrows
        .iter()
        .find(|(_, used)| used.iter().all(|module| order.contains(module)))
        .map(|(module, _)| module.clone())
    {
        arrows.remove(&next);
        order.push(next);
    }
    (order, arrows)
}

#[test]
fn module_dependencies_have_no_cycle() {
    let arrows = arrows();
    assert!(arrows["chain"].contains("reader") && arrows["reader"].contains("state"));
    assert!(arrows["import"].contains("chain") && arrows["dao"].is_empty(), "{arrows:?}");
    let (order, circle) = layered(arrows);
    assert!(circle.is_empty(), "{circle:?}");
    assert!(order.len() > 15, "{order:?}");
}

#[test]
fn dependency_cycle_is_detected() {
    let arrow = |from: &str, to: &[&str]| {
        (from.to_owned(), to.iter().map(|to| (*to).to_owned()).collect::<BTreeSet<_>>())
    };
    let line = [arrow("a", &["b"]), arrow("b", &["c"]), arrow("c", &[])];
    assert_eq!(layered(Arrows::from(line.clone())).0, ["c", "b", "a"]);
    let mut circle = Arrows::from(line);
    circle.insert("c".to_owned(), BTreeSet::from(["b".to_owned()]));
    assert_eq!(layered(circle).1.len(), 3);
}
