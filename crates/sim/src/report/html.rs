//! The report as one HTML page, which loads nothing.

use super::{data::FOLDER, manifest::Manifest, pages::Report};
use eyre::{Result, WrapErr as _};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use std::{fs, path::Path};
use testkit::charts::escaped;

const STYLE: &str = include_str!("style.css");
/// Pages without findings that the report contains, before and after them.
const PAGES: [&[&str]; 2] = [&["README", "method"], &["eip-8079", "gap", "REVIEW"]];
/// Where links to other documents lead.
const REPOSITORY: &str = "https://github.com/enshrine-rollups/enshrine/blob/main/docs/";

/// Returns the page. It depends only on the committed files of the report.
///
/// # Errors
///
/// If a page of the report cannot be read.
pub(crate) fn page(report: &Report, root: &Path) -> Result<String> {
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
    let pages = |html: &mut String, names: &[&str]| -> Result<()> {
        for name in names {
            let path = format!("{name}.md");
            let text = match generated.get(Path::new(&path)) {
                Some(text) => text.clone(),
                None => fs::read_to_string(root.join(FOLDER).join(&path)).wrap_err(path)?,
            };
            section(html, name, &text, report);
        }
        Ok(())
    };
    pages(&mut html, PAGES[0])?;
    for finding in &report.findings {
        section(&mut html, &finding.id, &finding.text, report);
    }
    pages(&mut html, PAGES[1])?;
    html += &format!("</main>\n<p class=\"stamp\">{stamp}</p>\n</body>\n</html>\n");
    Ok(html)
}

/// Appends a page of Markdown as a section.
fn section(html: &mut String, page: &str, text: &str, report: &Report) {
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
            let dest_url = target(&dest_url, page).into();
            Some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        event => Some(event),
    });
    let mut events: Vec<_> = events.collect();
    for index in 0..events.len() {
        let (before, after) = events.split_at_mut(index + 1);
        let Some(Event::Start(Tag::Heading { id, .. })) = before.last_mut() else { continue };
        let parts =
            after.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
        let text = parts.map(|event| match event {
            Event::Text(text) | Event::Code(text) => &**text,
            _ => "",
        });
        *id = Some(anchor(page, &slug(&text.collect::<String>())).into());
    }
    *html += &format!("<section id=\"{page}\">\n");
    html::push_html(html, events.into_iter());
    *html += "</section>\n";
}

/// Returns where a link of a page leads: to another section, or to the repository.
fn target(link: &str, page: &str) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    if let Some(document) = link.strip_prefix("../") {
        return format!("{REPOSITORY}{document}");
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let own = match file.trim_end_matches(".md") {
        "" => page,
        name if name.starts_with("F-") => name.get(..4).unwrap_or(name),
        name if PAGES.concat().contains(&name) => name,
        _ => return format!("{REPOSITORY}report/{link}"),
    };
    if heading.is_empty() { format!("#{own}") } else { format!("#{}", anchor(own, heading)) }
}

/// Returns the id of a heading in the one page.
fn anchor(page: &str, heading: &str) -> String {
    format!("{page}--{heading}")
}

/// Returns the anchor that forges give to a heading.
fn slug(heading: &str) -> String {
    let chars = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    chars.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_those_of_forges() {
        assert_eq!(slug("16. `msg.sender` of L1"), "16-msgsender-of-l1");
        assert_eq!(slug("Re-execution vs ZK"), "re-execution-vs-zk");
    }

    #[test]
    fn links_lead_to_sections_or_repository() {
        for (link, expected) in [
            ("F-01-settlement.md#limits", "#F-01--limits".to_owned()),
            ("F-01-settlement.md", "#F-01".to_owned()),
            ("#fee-rules", "#gap--fee-rules".to_owned()),
            ("method.md", "#method".to_owned()),
            ("../gas.md#names", format!("{REPOSITORY}gas.md#names")),
            ("gap.md#fee-rules", "#gap--fee-rules".to_owned()),
            ("ids.txt", format!("{REPOSITORY}report/ids.txt")),
            ("https://example.org", "https://example.org".to_owned()),
        ] {
            assert_eq!(target(link, "gap"), expected);
        }
    }
}
