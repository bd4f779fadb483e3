//! `anvil-diff`: runs the comparison and writes `docs/devnet-parity.md`.

use clap::Parser;
use enshrine_differential::anvil::{
    Launch, Player, Record, Script,
    random::Walk,
    report::{Report, keep_suites},
    times,
};
use eyre::{Context, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};
use toolchain::{Toolchain, progress_to_stderr};

/// Send the same requests to stock anvil and to the devnet, and compare the responses
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    /// The node under test, with its subcommand; without it, anvil is compared with itself
    #[arg(long, num_args = 1.., value_name = "PROGRAM", allow_hyphen_values = true)]
    subject: Vec<String>,

    /// Run only scripts whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Run this script instead, and no random steps
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    script: Option<PathBuf>,

    /// Total number of random steps
    #[arg(long, default_value_t = 5000, value_name = "STEPS")]
    random: usize,

    /// Number of random steps per walk
    #[arg(long, default_value_t = 1000, value_name = "STEPS")]
    walk: usize,

    /// Seed of the first walk; the others have consecutive seeds
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,

    /// Write the document to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// Show the responses of the reference
    #[arg(long)]
    answers: bool,

    /// Show the methods that are slower with the subject; with N, repeat each request of the
    /// scripts N times, and show the requests
    #[arg(long, value_name = "N", require_equals = true, num_args = 0..=1, default_missing_value = "0")]
    times: Option<usize>,

    /// Show each unexplained difference
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> eyre::Result<bool> {
    let tools = Toolchain::ensure(&progress_to_stderr)?;
    let reference = Launch {
        name: "stock anvil".to_owned(),
        program: tools.anvil().to_owned(),
        arguments: Vec::new(),
        log: None,
    };
    let subject = match arguments.subject.split_first() {
        None => Launch { name: "anvil again".to_owned(), ..reference.clone() },
        Some((program, rest)) => Launch {
            name: "the devnet".to_owned(),
            program: program.into(),
            arguments: rest.to_vec(),
            log: None,
        },
    };
    let launches = [&reference, &subject];
    let mut report = Report::default();
    let is_selected = |name: &str| arguments.only.as_ref().is_none_or(|only| name.contains(only));
    let scripts = match &arguments.script {
        Some(file) => vec![read(file)?],
        None => scripts(&tools)?,
    };
    let repetitions = arguments.times.unwrap_or_default();
    for script in scripts.iter().filter(|script| is_selected(&script.name)) {
        let records = Player::play_repeating(launches, script, repetitions)?;
        let differ = records.iter().filter(|record| !record.differences.is_empty()).count();
        eprintln!("{}: {} requests, {differ} differ", script.name, records.len());
        report.records.extend(records);
    }
    let is_walking = is_selected("random") && arguments.script.is_none();
    let walks = if is_walking { arguments.random.div_ceil(arguments.walk) } else { 0 };
    for index in 0..walks as u64 {
        let seed = arguments.seed + index;
        let name = format!("random seed {seed}");
        walk(launches, &name, &[], Walk::new(seed), arguments.walk, &mut report)?;
    }
    for (fork, has_base_fee) in Walk::EARLY.into_iter().filter(|_| walks > 0) {
        let (name, early) = (format!("random {fork}"), ["--hardfork", fork]);
        let steps = Walk::early(arguments.seed, has_base_fee);
        walk(launches, &name, &early, steps, EARLY.min(arguments.walk), &mut report)?;
    }
    if report.records.is_empty() {
        bail!("no script has a matching name");
    }
    if arguments.answers {
        for Record { script, line, method, params, answer, .. } in &report.records {
            let (params, answer) = (shorten(params), shorten(&answer.to_string()));
            println!("{script}:{line} {method} {params}\n    {answer}");
        }
    }
    if let Some(repetitions) = arguments.times {
        let name = |Record { method, params, .. }: &Record| match repetitions {
            0 => method.clone(),
            _ => format!("{method} {}", shorten(params)),
        };
        println!("{}", times::slower(&report.records, name));
    }
    if arguments.verbose {
        for (record, difference) in report.unexplained() {
            println!(
                "{}:{} {} {}\n    {} {}\n    {} {}",
                record.script,
                record.line,
                record.method,
                shorten(&record.params),
                difference.path,
                shorten(difference.reference.as_deref().unwrap_or("—")),
                " ".repeat(difference.path.len()),
                shorten(difference.subject.as_deref().unwrap_or("—")),
            );
        }
    }
    if let Some(path) = &arguments.write {
        let text = report.markdown(&reference.name, &subject.name);
        let text = keep_suites(&fs::read_to_string(path).unwrap_or_default(), &text);
        fs::write(path, text).wrap_err_with(|| format!("cannot write {}", path.display()))?;
    }
    println!("{}", report.summary());
    // Repetitions change the state, differently if a node mines later than the other.
    Ok(repetitions > 0 || report.unexplained().next().is_none())
}

/// Number of requests of a walk under a fork before the merge.
const EARLY: usize = 300;

/// Sends a number of random requests to fresh nodes.
fn walk(
    launches: [&Launch; 2],
    name: &str,
    flags: &[&str],
    steps: Walk,
    count: usize,
    report: &mut Report,
) -> eyre::Result<()> {
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    let started: Vec<_> = Walk::arguments().into_iter().chain(flags).collect();
    let mut player = Player::start(launches, name, &started)?;
    let (mut requests, mut differ) = (0, 0);
    for step in steps {
        if requests >= count {
            break;
        }
        if let Some(record) = player.step(&step)? {
            requests += 1;
            differ += usize::from(!record.differences.is_empty());
            report.records.push(record);
        }
    }
    eprintln!("{name}: {requests} requests, {differ} differ");
    report.random += requests;
    Ok(())
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(400).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Returns the scripts of the checkout, sorted by name.
fn scripts(tools: &Toolchain) -> eyre::Result<Vec<Script>> {
    let folder = tools.root().join("crates/differential/anvil/scripts");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .wrap_err_with(|| format!("cannot read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> eyre::Result<Script> {
    let text =
        fs::read_to_string(file).wrap_err_with(|| format!("cannot read {}", file.display()))?;
    Ok(Script::parse(&file.file_stem().unwrap_or_default().to_string_lossy(), &text)?)
}
