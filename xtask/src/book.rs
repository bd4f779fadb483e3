//! The documentation as a book: the pages of `docs/`, and generated reference pages.
//!
//! Generated pages cannot be out of date: commands and flags come from the `enshrine` binary,
//! contracts from their NatSpec by `forge doc`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use toolchain::{Toolchain, progress_to_stderr};

use crate::{
    built::{self, BUILD_CHECKED},
    command, files,
    tools::{self, MDBOOK, RUMDL},
};

/// Heading in the table of contents under which the generated pages are listed.
const REFERENCE: &str = "# Reference\n";

/// Profile of foundry.toml that contains only the contracts.
const DOC: &str = "doc";

/// Builds the book below `target/book`. Fails if a link is broken.
pub(crate) fn build(root: &Path) -> Result<()> {
    command::cargo(root, &BUILD_CHECKED)?;
    let pages = root.join("target/book-pages");
    files::empty(&pages)?;
    files::copy(&root.join("docs"), &pages, |_| true)?;
    let summary = pages.join("SUMMARY.md");
    let contents = read(&summary)?;
    ensure!(contents.contains(REFERENCE), "docs/SUMMARY.md has no {:?}", REFERENCE.trim());
    fs::write(pages.join("commands.md"), commands(&built::checked(root))?)?;
    let contracts = contracts(root, &pages)?;
    let made = format!(
        "{REFERENCE}\n- [Commands and flags](commands.md)\n- [Contracts](contracts/README.md)\n{contracts}"
    );
    let contents = contents.replacen(REFERENCE, &made, 1);
    fs::write(&summary, &contents)?;

    let mut documents = Vec::new();
    for path in files::below(&pages)? {
        if path.extension().is_some_and(|extension| extension == "md") {
            let inside = path.strip_prefix(&pages)?.to_owned();
            fs::write(&path, outward(&inside, &read(&path)?))?;
            documents.push(inside);
        }
    }
    let left_out = left_out(&contents, &documents);
    ensure!(left_out.is_empty(), "docs/SUMMARY.md does not have {left_out:?}");
    let checked = pages.display().to_string();
    tools::run(root, RUMDL, &["check", "--no-cache", "--respect-gitignore=false", &checked])?;
    // Added last, because they are not pages.
    diagrams(root, &pages)?;
    let book = root.join("target/book").display().to_string();
    tools::run(root, MDBOOK, &["build", &checked, "--dest-dir", &book])?;
    println!("{} pages in {book}/index.html", documents.len() - 1);
    Ok(())
}

/// Returns the pages that are not in the table of contents.
fn left_out<'d>(contents: &str, documents: &'d [PathBuf]) -> Vec<&'d PathBuf> {
    let is_in = |path: &Path| contents.contains(&format!("({})", path.display()));
    documents.iter().filter(|path| *path != Path::new("SUMMARY.md") && !is_in(path)).collect()
}

/// Returns a page whose links out of `docs/` point to the repository on the web.
fn outward(page: &Path, text: &str) -> String {
    let depth = page.components().count();
    let up = "../".repeat(depth);
    text.replace(&format!("]({up}"), concat!("](", env!("CARGO_PKG_REPOSITORY"), "/blob/main/"))
}

/// Adds the script that renders diagrams in the browser.
fn diagrams(root: &Path, pages: &Path) -> Result<()> {
    let (tools, target) = (root.join("tools/book"), root.join("target/book-tools"));
    let lock = |folder: &Path| fs::read(folder.join("package-lock.json")).ok();
    let library = target.join("node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js");
    if !library.exists() || lock(&tools) != lock(&target) {
        files::empty(&target)?;
        files::copy(&tools, &target, |_| true)?;
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--loglevel=error"]).current_dir(&target);
        command::run(npm.stdout(Stdio::null()))?;
    }
    for (from, name) in [(library, "mermaid.tiny.js"), (tools.join("diagrams.js"), "diagrams.js")] {
        fs::copy(&from, pages.join(name))
            .wrap_err_with(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Returns the help of the binary's commands and flags.
fn commands(enshrine: &Path) -> Result<String> {
    let mut enshrine = Command::new(enshrine);
    Ok(String::from_utf8(command::output(enshrine.args(["completions", "--markdown"]))?)?)
}

/// Writes the pages of the contracts below `pages`, and returns their entries in the table of
/// contents.
fn contracts(root: &Path, pages: &Path) -> Result<String> {
    let made = root.join("target/forge-doc");
    files::empty(&made)?;
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    let mut doc = tools.forge_command();
    // The profile excludes tests and scripts, which would remove them from the checkout's cache.
    doc.env("FOUNDRY_PROFILE", DOC).env("FOUNDRY_CACHE_PATH", "target/forge-doc-cache");
    command::run(doc.args(["doc", "--out"]).arg(&made))?;
    let contents = read(&made.join("src/SUMMARY.md"))?;
    let (_, contents) =
        contents.split_once("# contracts\n").ok_or_eyre("forge doc has no contracts")?;
    for path in files::below(&made.join("src/contracts"))? {
        let inside = path.strip_prefix(made.join("src"))?;
        // forge doc links from the root of its own book.
        let up = "../".repeat(inside.components().count() - 1);
        let text = read(&path)?.replace("](/contracts/", &format!("]({up}contracts/"));
        let there = pages.join(inside);
        fs::create_dir_all(there.parent().unwrap_or(pages))?;
        fs::write(there, text)?;
    }
    Ok(contents.replace("❱ ", ""))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).wrap_err_with(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write as _};

    #[test]
    fn external_links_point_to_repository_website() {
        let web = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");
        let text = "[a](../README.md) [b](gas.md)";
        assert_eq!(outward(Path::new("x.md"), text), format!("[a]({web}README.md) [b](gas.md)"));
        let text = "[a](../../x) [b](../gas.md)";
        assert_eq!(outward(Path::new("y/x.md"), text), format!("[a]({web}x) [b](../gas.md)"));
    }

    /// Returns a page with these diagrams as rendered by a browser; `None`, with a message, if
    /// there is no browser.
    fn drawn(folder: &Path, diagrams: &[String]) -> Option<String> {
        let blocks: String = diagrams
            .iter()
            .map(|text| text.replace('&', "&amp;").replace('<', "&lt;"))
            .map(|text| format!("<pre><code class=\"language-mermaid\">{text}</code></pre>"))
            .collect();
        let scripts =
            "<script src=\"mermaid.tiny.js\"></script><script src=\"diagrams.js\"></script>";
        let page = folder.join("page.html");
        fs::write(&page, format!("<!doctype html><body>{blocks}{scripts}</body>")).unwrap();
        let shown = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--no-first-run", "--dump-dom"])
            .arg("--virtual-time-budget=10000")
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .arg(format!("file://{}", page.display()))
            .output();
        if let Ok(shown) = shown {
            return Some(String::from_utf8_lossy(&shown.stdout).into_owned());
        }
        // The test harness captures the output of passing tests, so this is written differently.
        let skipped = "\n*** SKIPPED: diagrams in a browser: no Chromium (Debian's `chromium`) ***";
        writeln!(io::stderr(), "{skipped}").unwrap();
        None
    }

    #[test]
    fn browser_renders_every_diagram() {
        let root = toolchain::find_root().unwrap();
        let mut all = Vec::new();
        for path in files::below(&root.join("docs")).unwrap() {
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = read(&path).unwrap();
                let blocks = text.split("```mermaid\n").skip(1);
                all.extend(blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned())));
            }
        }
        assert!(all.len() >= 3, "{all:?}");
        let folder = tempfile::tempdir().unwrap();
        diagrams(&root, folder.path()).unwrap();
        let Some(page) = drawn(folder.path(), &all) else { return };
        assert_eq!(page.matches("<svg id=\"mermaid").count(), all.len(), "{page}");
        assert!(!page.contains("aria-roledescription=\"error\""), "{page}");
        // An invalid diagram is detected.
        let page = drawn(folder.path(), &["flowchart LR\n  A --".to_owned()]).unwrap();
        assert!(page.contains("aria-roledescription=\"error\""), "{page}");
    }

    #[test]
    fn page_missing_from_contents_is_named() {
        let documents = ["SUMMARY.md", "a.md", "b/c.md"].map(PathBuf::from);
        assert!(left_out("- [A](a.md)\n  - [C](b/c.md)\n", &documents).is_empty());
        assert_eq!(left_out("- [A](a.md)\n", &documents), [Path::new("b/c.md")]);
    }
}
