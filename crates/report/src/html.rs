//! The report as one HTML page, which loads nothing.

use crate::{FOLDER, Manifest, Report};
use charts::escaped;
use eyre::{Result, WrapErr as _};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use std::{fs, path::Path};

const STYLE: &str = include_str!("style.css");
/// Pages without findings that the report contains.
const PAGES: [&str; 2] = ["README", "method"];
/// Where links to other documents lead.
const REPOSITORY: &str = "https://github.com/enshrine-rollups/enshrine/blob/main/docs/";

/// Returns the page. It depends only on the committed files of the report.
///
/// # Errors
///
/// If a page of the report cannot be read.
pub fn page(report: &Report, root: &Path) -> Result<String> {
    let manifest = Manifest::read(root)?;
    let stamp = format!(
        "Edition {}, {}, measured at commit {}, manifest {}",
        manifest.get("edition"),
        manifest.get("date"),
        manifest.get("commit"),
        Manifest::hash(root)?,
    );
    let stamp = escaped(&stamp);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>EXECUTE, measured</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <footer>{stamp}</footer>\n<main>\n"
    );
    let generated = report.files(root)?;
    for name in PAGES {
        let path = format!("{name}.md");
        let text = match generated.get(Path::new(&path)) {
            Some(text) => text.clone(),
            None => fs::read_to_string(root.join(FOLDER).join(&path)).wrap_err(path)?,
        };
        section(&mut html, name, &text, report);
    }
    for finding in &report.findings {
        section(&mut html, &finding.id, &finding.text, report);
    }
    html += &format!("</main>\n<p class=\"stamp\">{stamp}</p>\n</body>\n</html>\n");
    Ok(html)
}

/// Appends a page of Markdown as a section.
fn section(html: &mut String, id: &str, text: &str, report: &Report) {
    let mut image = None;
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Image { dest_url, .. }) => {
            image = Some(dest_url.trim_start_matches("charts/").to_owned());
            None
        }
        Event::End(TagEnd::Image) => {
            let name = image.take()?;
            let svg = report.charts.iter().find(|(chart, _)| *chart == name)?.1.clone();
            Some(Event::Html(CowStr::from(format!("<figure>{svg}</figure>"))))
        }
        _ if image.is_some() => None,
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = target(&dest_url).into();
            Some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        event => Some(event),
    });
    let events: Vec<_> = events.collect();
    *html += &format!("<section id=\"{id}\">\n");
    html::push_html(html, events.into_iter());
    *html += "</section>\n";
}

/// Returns where a link of a page leads: to another section, or to the repository.
fn target(link: &str) -> String {
    if link.contains("://") || link.starts_with('#') {
        return link.to_owned();
    }
    if let Some(document) = link.strip_prefix("../") {
        return format!("{REPOSITORY}{document}");
    }
    match link.get(..4).filter(|it| it.starts_with("F-")) {
        Some(id) => format!("#{id}"),
        None if link == "method.md" => "#method".to_owned(),
        None => format!("{REPOSITORY}report/{link}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_sections_or_repository() {
        for (link, expected) in [
            ("F-01-settlement.md#limits", "#F-01".to_owned()),
            ("method.md", "#method".to_owned()),
            ("../gas.md#names", format!("{REPOSITORY}gas.md#names")),
            ("gap.md", format!("{REPOSITORY}report/gap.md")),
            ("https://example.org", "https://example.org".to_owned()),
        ] {
            assert_eq!(target(link), expected);
        }
    }
}
