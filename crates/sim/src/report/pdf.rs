//! The HTML page as PDF, printed by Chromium.

use eyre::{Result, WrapErr as _, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Maximum number of pages.
pub(crate) const MAX_PAGES: usize = 40;

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Prints a page beside its file, by the first browser that is installed. Returns the file and its
/// number of pages; `None` without a browser.
///
/// # Errors
///
/// If the browser fails, if there are more than [`MAX_PAGES`], or if the outline lacks the title of
/// a finding.
pub(crate) fn print(html: &Path, titles: &[String]) -> Result<Option<(PathBuf, usize)>> {
    let pdf = html.with_extension("pdf");
    // So that an old file is not taken for the new one.
    drop(fs::remove_file(&pdf));
    for browser in BROWSERS {
        let mut command = Command::new(browser);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        // The browser must not wait for a network: the page loads nothing.
        command.args(["--disable-background-networking", "--no-first-run"]);
        command.args(["--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer"]);
        command.arg("--generate-pdf-document-outline");
        command.arg(format!("--print-to-pdf={}", pdf.display())).arg(html);
        let Ok(output) = command.stdin(Stdio::null()).output() else { continue };
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && pdf.is_file(), "{browser} has written no PDF: {said}");
        let bytes = fs::read(&pdf).wrap_err_with(|| pdf.display().to_string())?;
        return Ok(Some((pdf, check(&bytes, titles)?)));
    }
    Ok(None)
}

/// Returns the number of pages of a PDF whose objects are not compressed, as Chromium writes them.
fn check(pdf: &[u8], titles: &[String]) -> Result<usize> {
    ensure!(pdf.starts_with(b"%PDF-"), "no PDF");
    let pages = count(pdf, b"/Type /Page") - count(pdf, b"/Type /Pages");
    ensure!((1..=MAX_PAGES).contains(&pages), "{pages} pages, expected 1 to {MAX_PAGES}");
    for title in titles {
        let entry = format!("/Title ({title}");
        ensure!(count(pdf, entry.as_bytes()) > 0, "the PDF has no heading {title}");
    }
    Ok(pages)
}

fn count(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).filter(|window| *window == part).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pdf(pages: usize, titles: &str) -> Vec<u8> {
        let pages = "<</Type /Page\n/Parent 1 0 R>>\n".repeat(pages);
        format!("%PDF-1.4\n<</Type /Pages>>\n{pages}{titles}").into_bytes()
    }

    #[test]
    fn pages_and_titles_of_pdf_are_counted() {
        let titles = ["F-01: a".to_owned(), "F-02: b".to_owned()];
        let both = "<</Title (F-01: a)>> <</Title (F-02: b)>>";
        assert_eq!(check(&pdf(MAX_PAGES, both), &titles).unwrap(), MAX_PAGES);
        assert!(check(&pdf(MAX_PAGES + 1, both), &titles).is_err());
        assert!(check(&pdf(0, both), &titles).is_err());
        assert!(check(&pdf(3, "<</Title (F-01: a)>> F-02: b"), &titles).is_err());
        assert!(check(b"<html>", &[]).is_err());
    }
}
