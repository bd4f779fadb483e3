//! The report "EXECUTE, measured": findings whose figures come from data files.
//!
//! Templates in `docs/report/src` and data files in `docs/report/data` determine everything else in
//! `docs/report`: the pages of the findings, their charts, the data as CSV, the index, and one HTML
//! page.

mod assets;
mod check;
mod command;
mod csv;
mod data;
mod differential;
mod drawings;
mod exact;
mod html;
mod manifest;
mod measure;
mod pages;
mod pdf;
mod sources;
mod template;
#[cfg(test)]
mod tests;
mod timings;

pub(crate) use check::check_figures;
pub(crate) use command::{Arguments, run};
