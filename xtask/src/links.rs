//! Check of the links and file names in documents.

use std::{
    collections::{HashMap, HashSet},
    path::{Component, Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A document: the anchors of its headings, its links and the paths that it names.
#[derive(Debug, Default)]
struct Document {
    anchors: HashSet<String>,
    /// Target and line of each link.
    links: Vec<(String, usize)>,
    /// Code spans that may be paths of files, with their lines.
    paths: Vec<(String, usize)>,
}

/// A broken link or the name of a missing file: document, line and message.
pub(crate) type Broken = (PathBuf, usize, String);

/// Returns the broken links of Markdown `documents` (path and text) to one another and to other
/// `files`, and the missing files that they name in folders of the repository. Web links are not
/// checked.
pub(crate) fn broken(documents: &[(PathBuf, String)], files: &[PathBuf]) -> Vec<Broken> {
    let read: HashMap<_, _> =
        documents.iter().map(|(path, text)| (path.as_path(), Document::of(text))).collect();
    let mut known: HashSet<PathBuf> = files.iter().cloned().collect();
    known.extend(files.iter().flat_map(|file| file.ancestors().skip(1)).map(Path::to_owned));
    let mut found = Vec::new();
    for (path, _) in documents {
        for (target, line) in &read[path.as_path()].links {
            if let Some(what) = wrong(path, target, &read, &known) {
                found.push((path.clone(), *line, what));
            }
        }
        for (named, line) in &read[path.as_path()].paths {
            let first = Path::new(named).components().next();
            let is_ours = first.is_some_and(|first| known.contains(Path::new(&first)));
            if is_ours && !known.contains(Path::new(named.trim_end_matches('/'))) {
                found.push((path.clone(), *line, format!("there is no {named}")));
            }
        }
    }
    found
}

fn wrong(
    from: &Path,
    target: &str,
    documents: &HashMap<&Path, Document>,
    known: &HashSet<PathBuf>,
) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let there = if file.is_empty() {
        from.to_owned()
    } else {
        let Some(there) = resolve(from, file) else {
            return Some(format!("{target} lies outside of the repository"));
        };
        if !known.contains(&there) {
            return Some(format!("{target}: there is no {}", there.display()));
        }
        there
    };
    let document = documents.get(there.as_path())?;
    if anchor.is_empty() || document.anchors.contains(anchor) {
        return None;
    }
    Some(format!("{target}: {} has no such heading", there.display()))
}

/// Resolves a relative link; `None` if it leaves the repository.
fn resolve(from: &Path, link: &str) -> Option<PathBuf> {
    let mut there = from.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => there.push(name),
            Component::ParentDir => {
                if !there.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(there)
}

impl Document {
    fn of(text: &str) -> Self {
        let mut document = Self::default();
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut heading: Option<String> = None;
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            let line = || 1 + text[..range.start].matches('\n').count();
            if let Event::Code(part) = &event
                && is_path(part)
            {
                document.paths.push((part.to_string(), line()));
            }
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let name = anchor(&heading.take().unwrap_or_default());
                    let before = counts.entry(name.clone()).or_default();
                    let name = if *before == 0 { name } else { format!("{name}-{before}") };
                    *before += 1;
                    document.anchors.insert(name);
                }
                Event::Text(part) | Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push((dest_url.into_string(), line()));
                }
                _ => {}
            }
        }
        document
    }
}

/// Returns `true` if a code span may be the path of a file in a folder.
fn is_path(code: &str) -> bool {
    let is_part = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
    code.contains('/') && !code.starts_with(['/', '.']) && code.chars().all(is_part)
}

/// Returns the anchor of a heading, as generated by GitHub and mdBook.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .chars()
        .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
        .flat_map(char::to_lowercase)
        .map(|char| if char == ' ' { '-' } else { char })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_in(text: &str) -> Vec<String> {
        let documents = [
            ("docs/a.md", text),
            ("docs/b.md", "# One thing\n## `EXECUTE`, and more\n## Twice\n## Twice\n"),
            ("README.md", "# Top"),
        ]
        .map(|(path, text)| (PathBuf::from(path), text.to_owned()));
        let files = ["docs/a.md", "docs/b.md", "README.md", "crates/x/src/lib.rs"];
        let found = broken(&documents, &files.map(PathBuf::from));
        found
            .into_iter()
            .map(|(path, line, what)| format!("{}:{line} {what}", path.display()))
            .collect()
    }

    #[test]
    fn existing_link_targets_are_accepted() {
        let text = "# Here\n[1](b.md) [2](b.md#one-thing) [3](#here) [4](../README.md#top) [5](../crates/x)\n\
                    [6](b.md#execute-and-more) [7](b.md#twice) [8](b.md#twice-1) [9](https://x.org/no.md#no)\n\
                    | [10](../crates/x/src/lib.rs) |\n";
        assert_eq!(broken_in(text), [""; 0]);
    }

    #[test]
    fn named_repository_files_must_exist() {
        let text = "`crates/x/src/lib.rs`, `crates/x/`, `src/main.rs`, `crates/<name>`, `a/b`, `/crates/y`\n\
                    ```\ncrates/y\n```\n";
        assert_eq!(broken_in(text), [""; 0]);
        let text = "Here\nis `crates/y/lib.rs`.";
        assert_eq!(broken_in(text), ["docs/a.md:2 there is no crates/y/lib.rs"]);
    }

    #[test]
    fn broken_link_is_named_with_line() {
        for (link, what) in [
            ("c.md", "c.md: there is no docs/c.md"),
            ("b.md#two", "b.md#two: docs/b.md has no such heading"),
            ("b.md#twice-2", "b.md#twice-2: docs/b.md has no such heading"),
            ("#there", "#there: docs/a.md has no such heading"),
            ("../../x.md", "../../x.md lies outside of the repository"),
            ("/x.md", "/x.md lies outside of the repository"),
        ] {
            let text = format!("# Here\n\nText and [a link]({link}).\n");
            assert_eq!(broken_in(&text), [format!("docs/a.md:3 {what}")]);
            assert_eq!(broken_in(&format!("# Here\n```\n[a link]({link})\n```\n")), [""; 0]);
        }
    }
}
