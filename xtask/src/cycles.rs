//! Check that the modules of a crate do not depend on one another in a cycle.
//!
//! Modules in a cycle can only be read, tested and moved together. Uses between a module and its
//! children do not count, and neither do tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::files;

/// Modules of a crate by their paths, with the paths of those that they use.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// Returns a line for each cycle.
pub(crate) fn check(root: &Path) -> eyre::Result<Vec<String>> {
    let mut folders = vec![root.join("xtask")];
    for entry in fs::read_dir(root.join("crates"))? {
        folders.push(entry?.path());
    }
    let mut found = Vec::new();
    for folder in folders {
        let name = folder.strip_prefix(root)?.display();
        for cycle in cycles(&uses(&folder.join("src"))?) {
            let modules = cycle.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            found.push(format!("{name}: modules depend on one another in a cycle: {modules}"));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the uses between the modules of a crate.
fn uses(source: &Path) -> eyre::Result<Uses> {
    let mut texts = BTreeMap::new();
    for path in files::below(source)? {
        let inside = path.strip_prefix(source)?.with_extension("");
        let mut parts: Vec<_> = inside.iter().filter_map(|part| part.to_str()).collect();
        if path.extension().is_none_or(|extension| extension != "rs") || parts.contains(&"tests") {
            continue;
        }
        parts.pop_if(|last| ["mod", "lib", "main"].contains(last));
        texts.insert(parts.join("::"), code(&fs::read_to_string(&path)?));
    }
    Ok(graph(&texts))
}

/// Returns the source without comments and without its tests, which are the last module of a file.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn graph(texts: &BTreeMap<String, String>) -> Uses {
    let mut uses = Uses::new();
    // Items that a module re-exports from its children, by path: a use of such an item is a use of
    // the module that defines it.
    let mut exported = BTreeMap::new();
    for (module, text) in texts {
        for statement in text
            .split(';')
            .filter_map(|statement| statement.split_once("use "))
            .map(|statement| statement.1)
        {
            for path in expand(statement) {
                let path = absolute(module, path.strip_prefix("self::").unwrap_or(&path));
                if let (Some(owner), Some(item)) = (owner(texts, &path), path.rsplit("::").next()) {
                    exported.insert(absolute(module, item), owner);
                }
            }
        }
    }
    for (module, text) in texts {
        let mut used = BTreeSet::new();
        for path in paths(module, text) {
            let outer = path.rmatch_indices("::").map(|(at, _)| &path[..at]);
            let owner =
                [&*path].into_iter().chain(outer).find_map(|path| exported.get(path)).cloned();
            used.extend(owner.or_else(|| owner_of_path(texts, &path)));
        }
        used.retain(|path| {
            !path.is_empty() && !is_inside(path, module) && !is_inside(module, path)
        });
        uses.insert(module.clone(), used);
    }
    uses
}

/// Returns the paths from the crate's root that a module names with `crate::` or `super::`.
fn paths(module: &str, text: &str) -> BTreeSet<String> {
    let mut text = text.to_owned();
    let ancestors: Vec<_> = module.rmatch_indices("::").map(|(at, _)| &module[..at + 2]).collect();
    for depth in (1..=ancestors.len() + 1).rev() {
        let ancestor = ancestors.get(depth - 1).unwrap_or(&"");
        text = text.replace(&"super::".repeat(depth), &["crate::", ancestor].concat());
    }
    let begins = text.match_indices("crate::");
    begins.flat_map(|(at, begin)| expand(&text[at + begin.len()..])).collect()
}

/// Expands a path or a tree of `use` at the beginning of a text: `a::{b, c::d}` to `a::b` and
/// `a::c::d`.
fn expand(text: &str) -> Vec<String> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let (mut depth, mut begin, mut found) = (0_usize, 0, Vec::new());
        for (at, c) in group.char_indices() {
            match (c, depth) {
                ('{', _) => depth += 1,
                ('}' | ',', 0) => {
                    found.extend(expand(&group[begin..at]));
                    begin = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                ('}', _) => depth -= 1,
                _ => {}
            }
        }
        return found;
    }
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let name = &text[..end];
    match text[end..].strip_prefix("::") {
        Some(rest) => {
            let rest = expand(rest);
            let rest = rest.iter().filter(|part| !part.is_empty());
            let mut found: Vec<_> = rest.map(|part| format!("{name}::{part}")).collect();
            if found.is_empty() {
                found.push(name.to_owned());
            }
            found
        }
        None => vec![name.to_owned()],
    }
}

fn absolute(module: &str, path: &str) -> String {
    if module.is_empty() { path.to_owned() } else { format!("{module}::{path}") }
}

/// Returns the module, other than the crate, that has the item of a path.
fn owner(texts: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let (module, _) = path.rsplit_once("::")?;
    texts.contains_key(module).then(|| module.to_owned())
}

/// Returns the innermost module of a path, which may name the module itself, an item or something
/// in an item.
fn owner_of_path(texts: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let mut path = path;
    while !texts.contains_key(path) {
        path = path.rsplit_once("::")?.0;
    }
    Some(path.to_owned())
}

fn is_inside(module: &str, outer: &str) -> bool {
    module == outer || module.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"))
}

/// Returns the sets of modules that reach one another.
fn cycles(uses: &Uses) -> BTreeSet<BTreeSet<String>> {
    let back = |module: &String| -> BTreeSet<_> {
        let reached = reach(uses, module).into_iter();
        reached.filter(|other| reach(uses, other).contains(module)).collect()
    };
    uses.keys().map(back).filter(|cycle| !cycle.is_empty()).collect()
}

fn reach(uses: &Uses, from: &str) -> BTreeSet<String> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for next in uses.get(module).into_iter().flatten() {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles_of(modules: &[(&str, &str)]) -> BTreeSet<BTreeSet<String>> {
        let texts = modules.iter().map(|(name, text)| ((*name).to_owned(), code(text)));
        cycles(&graph(&texts.collect()))
    }

    #[test]
    fn modules_that_use_each_other_are_a_cycle() {
        let both = BTreeSet::from(["a".to_owned(), "b::c".to_owned()]);
        for (of_a, of_c) in [
            ("use crate::b::c::X;", "use crate::a::Y;"),
            ("use crate::{\n    b::{c::X},\n    d::Z,\n};", "fn f() { super::super::a::g() }"),
            ("use crate::b::X;", "use crate::Y;"),
        ] {
            let root = ("", "mod a;\nmod b;\npub use a::Y;");
            let modules = [
                root,
                ("a", of_a),
                ("b", "mod c;\npub(crate) use c::X;"),
                ("b::c", of_c),
                ("d", ""),
            ];
            assert_eq!(cycles_of(&modules), BTreeSet::from([both.clone()]), "{of_a} {of_c}");
        }
    }

    #[test]
    fn one_direction_tests_and_children_are_none() {
        for (of_a, of_b) in [
            ("use crate::b::X;", ""),
            ("use crate::b::X;", "// crate::a\n#[cfg(test)]\nmod tests {\n use crate::a::Y;\n}"),
            ("use b::X;", "use std::a::Y;"),
        ] {
            let found = cycles_of(&[("", ""), ("a", of_a), ("b", of_b)]);
            assert!(found.is_empty(), "{of_a} {of_b}");
        }
        let found = cycles_of(&[("a", "use crate::a::b::X;"), ("a::b", "use super::Y;")]);
        assert!(found.is_empty(), "{found:?}");
    }
}
