//! The command line: which verbs there are, the flags that all share, and exit codes.
//!
//! A verb is one file: `pub(crate) struct Args` (what clap parses), and
//! `pub(crate) fn run(args: Args, io: &mut Context) -> papertape::Result<Exit>`. To add one, write
//! the file, a `mod` line, a variant of [`Verb`] and its arm in [`dispatch`]; help, completions
//! and the man page follow. A verb prints results with [`Context::print`] (stdout) and remarks
//! with [`Context::note`] (stderr); it returns an error instead of printing one. Flags that
//! several verbs take are in [`flags`].

mod check;
mod compare;
mod completions;
mod context;
mod data;
mod errors;
mod eval;
mod explain;
mod flags;
mod holdout;
mod list;
mod man;
mod metrics;
mod overfit;
mod page;
mod paper;
mod price;
mod progress;
mod report;
mod rerun;
mod run;
mod schema;
mod simulated;
mod stress;
mod sweep;
mod verify;
mod walk_forward;

pub(crate) use context::{Context, Exit, Format};

use clap::{ArgAction, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Exit status of any error: arguments, files, strategies.
const ERROR: u8 = 2;

/// Test rules-based trading strategies on real prices before money is at risk.
#[derive(Debug, Parser)]
#[command(name = "papertape", version, arg_required_else_help = true)]
#[command(after_help = "Exit status: 0 done, 1 a check failed, 2 error.")]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    verb: Verb,
}

/// Flags of every verb.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Flags of every verb")]
struct Shared {
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, hide_possible_values = true, value_name = "table|json|csv")]
    format: Format,
    /// Print results only, no remarks and no progress
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more about what is done
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Colour the output; `auto` does so on a terminal unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, hide_possible_values = true, value_name = "auto|always|never")]
    color: ColorChoice,
    /// Threads; all cores unless given
    #[arg(short = 'j', long = "jobs", global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    jobs: Option<u32>,
    /// Seed of everything that is drawn at random
    #[arg(long, global = true, value_name = "N", default_value_t = 42)]
    seed: u64,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Simulate strategies, print the summary and write the run's folder
    Run(run::Args),
    /// Look for mistakes in strategy files, and for rules that see the future
    Check(check::Args),
    /// Say why a strategy did or did not trade on a day
    Explain(explain::Args),
    /// Run strategies under each assumption that flatters them
    Stress(stress::Args),
    /// Try every combination of the values of params and keys, and rank them
    Sweep(sweep::Args),
    /// Choose parameters on the past, judge them on the future, again and again
    WalkForward(walk_forward::Args),
    /// Put strategies, finished runs and paper accounts side by side
    Compare(compare::Args),
    /// Check, show or import files of prices
    Data(data::Args),
    /// Print any expressions over any data, one row a bar and symbol
    Eval(eval::Args),
    /// Measure anybody's returns or equity, from a CSV file
    Metrics(metrics::Args),
    /// Say whether the best of anybody's trials is luck, from a CSV file of their returns
    Overfit(overfit::Args),
    /// Run strategies forward, a bar at a time, on durable accounts
    Paper(paper::Args),
    /// Value an option, or find the volatility that a price implies; one, or a file of them
    Price(price::Args),
    /// Draw the pictures of a finished run again
    Report(report::Args),
    /// Make a finished run again and compare it byte for byte
    Rerun(rerun::Args),
    /// Check the books of a finished run from its files alone
    Verify(verify::Args),
    /// Print what expressions can call, or what a run is measured by
    List(list::Args),
    /// Print every table and key of a strategy file with its default
    Schema(schema::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Print the manual page
    Man(man::Args),
}

fn dispatch(verb: Verb, io: &mut Context) -> papertape::error::Result<Exit> {
    match verb {
        Verb::Eval(args) => eval::run(args, io),
        Verb::Metrics(args) => metrics::run(args, io),
        Verb::Overfit(args) => overfit::run(args, io),
        Verb::Data(args) => data::run(args, io),
        Verb::Check(args) => check::run(args, io),
        Verb::Explain(args) => explain::run(args, io),
        Verb::Run(args) => run::run(args, io),
        Verb::Stress(args) => stress::run(args, io),
        Verb::Sweep(args) => sweep::run(args, io),
        Verb::WalkForward(args) => walk_forward::run(args, io),
        Verb::Compare(args) => compare::run(args, io),
        Verb::Paper(args) => paper::run(args, io),
        Verb::Price(args) => price::run(args, io),
        Verb::Report(args) => report::run(args, io),
        Verb::Rerun(args) => rerun::run(args, io),
        Verb::Verify(args) => verify::run(args, io),
        Verb::List(args) => list::run(args, io),
        Verb::Schema(args) => schema::run(args, io),
        Verb::Completions(args) => completions::run(args, io),
        Verb::Man(args) => man::run(args, io),
    }
}

/// The whole process: parses, runs one verb, prints its error, and says how it ended.
pub(crate) fn main(args: Vec<OsString>) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    match std::panic::catch_unwind(|| start(args)) {
        Ok(code) => code,
        Err(cause) => {
            let what = cause
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| cause.downcast_ref::<&str>().copied())
                .unwrap_or("no description");
            complain(&format!(
                "error: papertape has a bug: {what}\n  help: please report it with the command and the files that led here"
            ));
            ExitCode::from(ERROR)
        }
    }
}

fn start(args: Vec<OsString>) -> ExitCode {
    let command = Cli::command().color(color_of(&args));
    let parsed = command
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(usage) => {
            // Help goes to stdout and is success, the rest to stderr; a closed pipe is neither's
            // fault.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(ERROR));
        }
    };
    let mut io = Context::new(
        cli.shared.format,
        cli.shared.quiet,
        cli.shared.verbose,
        cli.shared.color,
        cli.shared.jobs.map(|n| n as usize),
        cli.shared.seed,
    );
    let ended = dispatch(cli.verb, &mut io);
    let written = io.finish();
    match (ended, written) {
        (Err(error), _) => {
            complain(errors::render(&error, &io).trim_end());
            ExitCode::from(ERROR)
        }
        (Ok(_), Err(cause)) if cause.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        (Ok(_), Err(cause)) => {
            complain(&format!("error: the output could not be written: {cause}"));
            ExitCode::from(ERROR)
        }
        (Ok(exit), Ok(())) => ExitCode::from(exit as u8),
    }
}

/// One message on stderr. Nothing can be done when stderr itself is closed.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// `--color` before the arguments are parsed, so that usage errors obey it too.
fn color_of(args: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = args.iter().filter_map(|a| a.to_str()).collect();
    let given = words.iter().enumerate().find_map(|(i, word)| {
        word.strip_prefix("--color=").or_else(|| {
            (*word == "--color")
                .then(|| words.get(i + 1).copied())
                .flatten()
        })
    });
    match given {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// Whether a stream is coloured.
fn colored<S: IsTerminal>(choice: ColorChoice, stream: &S) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    }
}
