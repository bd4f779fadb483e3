//! Conformance vectors: files with calls of EXECUTE and the expected answers, for any
//! implementation.
//!
//! The vectors contain blocks of a small chain, and rejected neighbours of them, in each dialect.
//! The source states the reason of each rejection next to the change that causes it, and no file is
//! written unless this project's EXECUTE agrees with all of them.

mod batches;
mod blocks;
pub(crate) mod carrier;
mod case;
pub(crate) mod draft;
mod drake;
mod execute_tx;
mod forms;
mod legacy;
pub(crate) mod nested;
mod precompiles;
#[cfg(test)]
mod published;
mod subject;
mod tails;
#[cfg(test)]
mod tests;
pub(crate) mod vector_chain;

use alloy_primitives::hex;
use case::{CarriedBlob, Case, Vectors};
use codec::blob_tail::BLOB_LEN;
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use forms::Cases;
use legacy::{Layout, Layouts};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use variants::DialectName;

/// File for the fixed layout of the precompile `0x12`, which EXECUTE does not accept.
const LAYOUTS: &str = "legacy-0x12.json";
/// Files next to the vectors: a description of the fields, and a program that reads and runs them.
const BESIDE: [(&str, &str); 2] =
    [("README.md", include_str!("README.md")), ("vectors.py", include_str!("vectors.py"))];

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Output folder [default: target/vectors]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Compare the files in a folder with this project's EXECUTE instead
    #[arg(long, value_name = "FOLDER", conflicts_with = "out")]
    check: Option<PathBuf>,
    /// Answer one call in the protocol of vectors.py instead
    #[arg(long, conflicts_with_all = ["out", "check"])]
    answer: bool,
    /// Print the number of calls of each file as JSON instead
    #[arg(long, conflicts_with_all = ["out", "check", "answer"])]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.answer {
        println!("{}", answer()?);
        return Ok(());
    }
    if arguments.json {
        println!("{:#}", counts(&calls()?));
        return Ok(());
    }
    if let Some(folder) = &arguments.check {
        println!("{} calls of {} are answered as expected", check(folder)?, folder.display());
        return Ok(());
    }
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => toolchain::find_root()?.join("target/vectors"),
    };
    write(&folder, &Files::make()?)?;
    println!("{}", folder.display());
    Ok(())
}

/// Contents of all files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    /// Calls, by file name.
    calls: BTreeMap<String, Vectors>,
    layouts: Layouts,
}

impl Files {
    fn make() -> Result<Self> {
        let layouts = Layouts { format: Vectors::FORMAT, layouts: legacy::layouts()? };
        Ok(Self { calls: calls()?, layouts })
    }
}

/// Returns the calls of each file, by file name.
fn calls() -> Result<BTreeMap<String, Vectors>> {
    let (blocks, batches) = (blocks::subjects()?, batches::subjects()?);
    let mut plain = Cases::new(DialectName::Specs);
    plain.all(&blocks)?;
    let first = blocks.0.first().ok_or_eyre("there is a block")?;
    let call = DialectName::Specs.encode(&first.input)?;
    for schedule in ["flat", "ethrex", "7+3", "7+5+3+100"] {
        plain.accepted(&format!("{} at {schedule}", first.name), &first.fork, schedule, &call)?;
    }
    let mut together = Cases::new(DialectName::Specs);
    together.all(&batches)?;
    let mut claims = Cases::new(DialectName::Drake);
    claims.all(&blocks)?;
    claims.all(&batches)?;
    drake::add(&mut claims, &blocks, &batches)?;
    let mut tails = Cases::new(DialectName::Blobs);
    tails.all(&blocks)?;
    tails.all(&batches)?;
    tails::add(&mut tails, &blocks, &batches)?;
    let mut l3 = Cases::new(DialectName::Nested);
    l3.all(&blocks)?;
    nested::add(&mut l3)?;
    let mut calls_of_precompiles = Cases::new(DialectName::Specs);
    precompiles::add(&mut calls_of_precompiles)?;
    let mut drafts = Cases::new(DialectName::Draft8079);
    draft::add(&mut drafts)?;
    let mut transactions = Cases::new(DialectName::ExecuteTx);
    transactions.all(&blocks)?;
    execute_tx::add(&mut transactions, &blocks)?;
    let mut headers = Cases::new(DialectName::Headers);
    headers.all(&blocks)?;
    headers.all(&batches)?;
    let mut headers_blobs = Cases::new(DialectName::HeadersBlobs);
    headers_blobs.all(&blocks)?;
    headers_blobs.all(&batches)?;
    tails::add(&mut headers_blobs, &blocks, &batches)?;
    let named = [
        ("blocks", plain),
        ("batches", together),
        ("drake", claims),
        ("blobs", tails),
        ("nested", l3),
        ("precompiles", calls_of_precompiles),
        ("draft-8079", drafts),
        ("execute-tx", transactions),
        ("headers", headers),
        ("headers-blobs", headers_blobs),
    ];
    let wrong: Vec<_> = named.iter().flat_map(|(_, cases)| cases.wrong.iter().cloned()).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let file = |(name, cases): (&str, Cases)| {
        let vectors = Vectors { format: Vectors::FORMAT, cases: cases.cases };
        (format!("{name}.json"), vectors)
    };
    Ok(named.into_iter().map(file).collect())
}

/// Returns the numbers of accepted and rejected calls of each file, and of reasons, forks, and fork
/// schedules.
fn counts(files: &BTreeMap<String, Vectors>) -> Value {
    let all = || files.values().flat_map(|vectors| &vectors.cases);
    let of = |cases: &[Case]| {
        let accepted = cases.iter().filter(|case| case.answer.is_some()).count();
        json!({ "accepted": accepted, "rejected": cases.len() - accepted })
    };
    let by_file = files.iter().map(|(name, vectors)| (name.clone(), of(&vectors.cases)));
    let reasons: BTreeSet<_> = all().filter_map(|case| case.reason.as_ref()).collect();
    let (schedules, forks): (BTreeSet<_>, BTreeSet<_>) =
        all().map(|case| &case.fork).partition(|fork| fork.contains(','));
    json!({
        "files": Value::Object(by_file.collect()),
        "calls": all().count(),
        "rejected": all().filter(|case| case.answer.is_none()).count(),
        "reasons": reasons.len(),
        "forks": forks.len(),
        "schedules": schedules.len(),
    })
}

/// Writes the files into a folder.
fn write(folder: &Path, files: &Files) -> Result<()> {
    let failed = || format!("cannot write into {}", folder.display());
    fs::create_dir_all(folder).wrap_err_with(failed)?;
    for (name, vectors) in &files.calls {
        let text = serde_json::to_string_pretty(vectors)? + "\n";
        fs::write(folder.join(name), text).wrap_err_with(failed)?;
    }
    let text = serde_json::to_string_pretty(&files.layouts)? + "\n";
    fs::write(folder.join(LAYOUTS), text).wrap_err_with(failed)?;
    for (name, text) in BESIDE {
        fs::write(folder.join(name), text).wrap_err_with(failed)?;
    }
    Ok(())
}

/// Reads all files in a folder.
fn read(folder: &Path) -> Result<Files> {
    let text = fs::read_to_string(folder.join(LAYOUTS));
    let text = text.wrap_err_with(|| folder.join(LAYOUTS).display().to_string())?;
    let layouts = serde_json::from_str(&text).wrap_err(LAYOUTS)?;
    let mut calls = BTreeMap::new();
    for entry in fs::read_dir(folder).wrap_err_with(|| folder.display().to_string())? {
        let path = entry?.path();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        if is_json && !path.ends_with(LAYOUTS) {
            let text = fs::read_to_string(&path)?;
            let vectors: Vectors =
                serde_json::from_str(&text).wrap_err_with(|| path.display().to_string())?;
            let name = path.file_name().ok_or_eyre("a file has a name")?;
            calls.insert(name.to_string_lossy().into_owned(), vectors);
        }
    }
    Ok(Files { calls, layouts })
}

/// Makes the calls of all files in a folder and compares the outcomes with the expected ones.
/// Returns the number of calls.
fn check(folder: &Path) -> Result<usize> {
    let Files { calls, layouts } = read(folder)?;
    ensure!(!calls.is_empty(), "no calls in {}", folder.display());
    let formats = calls.iter().map(|(name, vectors)| (name.as_str(), vectors.format));
    for (name, got) in formats.chain([(LAYOUTS, layouts.format)]) {
        let expected = Vectors::FORMAT;
        ensure!(got == expected, "{name}: format {got}, expected {expected}");
    }
    layouts.layouts.iter().try_for_each(Layout::check)?;
    let cases: Vec<_> = calls.values().flat_map(|vectors| &vectors.cases).collect();
    cases.iter().try_for_each(|case| case.check())?;
    Ok(cases.len())
}

/// Answers a call given by standard input and environment variables, as an implementation run by
/// `vectors.py`.
fn answer() -> Result<String> {
    let named = |name: &str| env::var(name).wrap_err_with(|| name.to_owned());
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let mut lines = text.lines().peekable();
    let input = hex::decode(lines.next().unwrap_or_default())?;
    let blob = |line: &str| {
        let (hash, blob) = line.split_once(' ').ok_or_eyre("a line of a blob has two words")?;
        let blob = hex::decode(blob)?;
        ensure!(blob.len() == BLOB_LEN, "a blob of {} bytes, expected {BLOB_LEN}", blob.len());
        Ok(CarriedBlob { versioned_hash: hash.parse()?, data: blob.into() })
    };
    // A line with a transaction has one word and comes first. Such a transaction has no blobs.
    let transaction = lines.next_if(|line| !line.contains(' ')).map(hex::decode).transpose()?;
    let case = Case {
        name: "the call".to_owned(),
        dialect: named("EXECUTE_DIALECT")?,
        fork: named("EXECUTE_FORK")?,
        schedule: named("EXECUTE_SCHEDULE")?,
        gas: named("EXECUTE_GAS")?.parse()?,
        input: input.into(),
        blobs: lines.map(blob).collect::<Result<_>>()?,
        transaction: transaction.map(Into::into),
        answer: None,
        gas_charged: 0,
        reason: None,
        neighbour: None,
    };
    let outcome = case.run()?;
    Ok(match outcome.answer {
        Some(answer) => format!("{answer} {}", outcome.gas_charged),
        None => format!("failed {}", outcome.reason.unwrap_or_default()),
    })
}
