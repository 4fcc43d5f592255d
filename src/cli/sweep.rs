//! `sweep FILE`: every combination of the values of some keys, ranked; `sweep merge DIR…`: shards of
//! one sweep as one. What is measured and judged is the library's; here are flags, progress, Ctrl-C
//! and the folder's life.

use crate::cli::flags::{StrategyFlags, axis};
use crate::cli::progress::Bar;
use crate::cli::rerun::overrides;
use crate::cli::simulated::kept;
use crate::cli::{Context, Exit, Format, holdout, page};
use papertape::error::{Error, Problem, Result};
use papertape::report::contents;
use papertape::report::manifest::{LedgerCopy, Manifest};
use papertape::report::sweep::folder::{self, Claim};
use papertape::report::sweep::rows::RowFile;
use papertape::report::sweep::{json, pictures, record, text};
use papertape::strategy::{Strategy, SweepMethod};
use papertape::study::Ask;
use papertape::study::sweep::{
    AllTrials, Course, Field, Goal, Judging, Plan, Ranking, Rows, Watch, count, judge, rank,
    run as measure,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where sweeps go unless `--out` says otherwise.
const REPORTS: &str = "reports";

/// Where trials are counted, whatever `--out` says.
pub(crate) const LEDGERS: &str = "reports/trials";

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Strategy file
    #[arg(required = true, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A param or key and its values, for example `period=5..30:5`, `low=20,25,30`,
    /// `stops.stop=0.02..0.1:0.02`, `data.symbols=AAPL,IBM`; beside `[sweep]`, or in place of its line
    #[arg(long, value_name = "KEY=VALUES", value_parser = axis)]
    vary: Vec<(String, String)>,
    /// Condition on params, for example `fast < slow`
    #[arg(long = "where", value_name = "CONDITION")]
    constraint: Option<String>,
    /// Figure that ranks, for example sharpe
    #[arg(long, value_name = "KEY")]
    objective: Option<String>,
    /// How combinations are chosen
    #[arg(long, value_name = "grid|random|halving", value_parser = ["grid", "random", "halving"], hide_possible_values = true)]
    method: Option<String>,
    /// How many combinations are tried
    #[arg(long, value_name = "N")]
    samples: Option<u32>,
    /// How many of the best are shown
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    top: u32,
    /// Figure that the shown rows are sorted by, instead of the objective
    #[arg(long, value_name = "KEY")]
    sort: Option<String>,
    /// Go on where an earlier attempt stopped
    #[arg(long)]
    resume: bool,
    /// One part of several, for example 1/4; `sweep merge` makes one sweep of all parts
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<(u64, u64)>,
    /// Five figures a trial and nothing else: no files, no statistics
    #[arg(long)]
    bare: bool,
    #[command(flatten)]
    strategy: StrategyFlags,
    /// The sweep's folder [default: reports/<file>-sweep]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write into a folder that holds something else, and begin an unfinished sweep anew
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make one sweep of the folders of all its shards
    Merge(MergeArgs),
}

/// Arguments of `sweep merge`.
#[derive(Debug, clap::Args)]
struct MergeArgs {
    /// Folders of all shards
    #[arg(required = true, value_name = "DIR")]
    shards: Vec<PathBuf>,
    /// The sweep's folder [default: reports/<file>-sweep]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many of the best are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: u32,
    /// Write into a folder that holds something else
    #[arg(long)]
    force: bool,
}

/// `1/4`: part and number of parts.
fn shard(text: &str) -> std::result::Result<(u64, u64), String> {
    let parsed = text.split_once('/').and_then(|(part, parts)| {
        Some((
            part.trim().parse::<u64>().ok()?,
            parts.trim().parse::<u64>().ok()?,
        ))
    });
    match parsed {
        Some((part, parts)) if part >= 1 && part <= parts => Ok((part, parts)),
        _ => Err("expected a part and the number of parts, for example 1/4".to_owned()),
    }
}

/// A flag that Ctrl-C sets; the second Ctrl-C ends the process at once.
pub(crate) fn interruption() -> Arc<AtomicBool> {
    const SIGINT: i32 = signal_hook::consts::SIGINT;
    const INTERRUPTED: i32 = 130;
    let flag = Arc::new(AtomicBool::new(false));
    // Where no handler can be set, Ctrl-C ends the process as ever, and the rows so far are kept.
    let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, INTERRUPTED, flag.clone())
        .and_then(|_| signal_hook::flag::register(SIGINT, flag.clone()));
    flag
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    match (&args.action, &args.file) {
        (Some(Action::Merge(merge)), _) => merged(merge, io),
        (None, Some(file)) => swept(file, &args, io),
        (None, None) => Err(Error::msg("no strategy file was given")),
    }
}

/// The strategy with the flags of a sweep laid over its `[sweep]`.
fn strategy(file: &Path, args: &Args) -> Result<Strategy> {
    let mut overrides = args.strategy.overrides();
    let flags = [
        ("where", args.constraint.clone()),
        ("objective", args.objective.clone()),
        ("method", args.method.clone()),
        ("samples", args.samples.map(|n| n.to_string())),
    ];
    for (key, value) in flags {
        let set = value.map(|value| (format!("sweep.{key}"), value));
        overrides.set.extend(set);
    }
    let mut strategy = Strategy::read(file, &overrides)?;
    let mut problems: Vec<Problem> = Vec::new();
    for (key, values) in &args.vary {
        if let Err(error) = strategy.vary(key, values) {
            problems.extend(error.problems().iter().cloned());
        }
    }
    match problems.is_empty() {
        true => Ok(strategy),
        false => Err(Error::all(problems)),
    }
}

fn goal_of(flag: &str, key: &str) -> Result<Goal> {
    Goal::of(key).ok_or_else(|| {
        let keys = papertape::metrics::trial::Trial::KEYS;
        let problem = Problem::new(format!("{flag} {key}: trials have no such figure"));
        let help = match papertape::error::nearest(key, keys) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", keys.join(" ")),
        };
        Error::new(problem.help(help))
    })
}

fn swept(file: &Path, args: &Args, io: &mut Context) -> Result<Exit> {
    if let Some(key) = &args.objective {
        goal_of("--objective", key)?;
    }
    let sort = args.sort.as_deref().map(|key| goal_of("--sort", key));
    let sort = sort.transpose()?;
    let strategy = strategy(file, args)?;
    holdout::record(&strategy, "sweep", args.out.as_deref())?;
    let overrides = args.strategy.overrides();
    let field = Field::new(strategy, overrides, io.jobs, !args.bare)?;
    for note in &field.market_of(0)?.notes {
        io.note(note);
    }
    let whole = Plan::of(&field, io.seed)?;
    let plan = match args.shard {
        Some((part, parts)) => whole.part(&field, part - 1, parts)?,
        None => whole,
    };
    if args.bare {
        return bare(&field, &plan, args, sort.as_ref(), io);
    }
    let out = args.out.clone().unwrap_or_else(|| {
        let shard = args
            .shard
            .map(|(part, parts)| format!("-{part}-of-{parts}"));
        let stem = &field.strategy.stem;
        Path::new(REPORTS).join(format!("{stem}-sweep{}", shard.unwrap_or_default()))
    });
    let record = record::of(&field, &plan, (kept(&args.strategy), io.seed), args.shard)?;
    let claim = folder::claim(&out, &record, args.resume, args.force)?;
    if claim == Claim::Finished {
        return again(&out, io);
    }
    let cancel = interruption();
    let mut rows = RowFile::open(&folder::prepare(&out, &record, claim)?)?;
    let course = course(&field, &plan, Ask::Blocks, &mut rows, &cancel, io)?;
    if args.shard.is_some() {
        return shard_done(&out, &course, &rows, io);
    }
    let mut ending = Ending {
        out: &out,
        top: args.top as usize,
        sort: sort.as_ref(),
        record,
        ledger: None,
        cancel: &cancel,
    };
    let shown = ending.write(&field, &plan, &course, &mut rows, io)?;
    show(&shown, &out, io);
    ended(&course, &shown)
}

/// Measures with a bar of progress; Ctrl-C stops it after the trials under way.
fn course(
    field: &Field,
    plan: &Plan,
    ask: Ask,
    rows: &mut dyn Rows,
    cancel: &AtomicBool,
    io: &Context,
) -> Result<Course> {
    let bar = Bar::new(plan.choice.len(), "trials", io);
    let watch = Watch {
        cancel,
        progress: &|n| bar.done(n),
    };
    let course = measure(field, plan, ask, rows, watch);
    bar.finish();
    course
}

fn bare(
    field: &Field,
    plan: &Plan,
    args: &Args,
    sort: Option<&Goal>,
    io: &mut Context,
) -> Result<Exit> {
    let top = args.top as usize;
    let cancel = interruption();
    let (course, ranking) = match plan.method {
        // The next round needs all rows of the one before.
        SweepMethod::Halving => {
            let mut rows: Vec<papertape::study::sweep::Row> = Vec::new();
            let course = course(field, plan, Ask::Bare, &mut rows, &cancel, io)?;
            let ranking = rank(&course, plan.goal, top, &mut rows)?;
            (course, ranking)
        }
        _ => {
            let mut best = Ranking::new(plan.goal, top);
            let course = course(field, plan, Ask::Bare, &mut best, &cancel, io)?;
            (course, best)
        }
    };
    match io.format {
        Format::Table => io.print(text::bare(field, &ranking, top, sort)),
        Format::Json => io.print(format_args!("{}\n", json::bare(field, &ranking, top))),
        Format::Csv => io.print(text::csv(field, &ranking, top)),
    }
    stopped(&course)
}

/// A finished sweep is shown as it is.
fn again(out: &Path, io: &mut Context) -> Result<Exit> {
    let name = match io.format {
        Format::Table => folder::PAGE,
        Format::Json => folder::JSON,
        Format::Csv => folder::CSV,
    };
    let path = out.join(name);
    let text = std::fs::read_to_string(&path).map_err(|cause| {
        Problem::new(format!("cannot be read: {cause}"))
            .in_file(path.display().to_string())
            .help("leave --resume out to sweep again")
    })?;
    io.note(format_args!(
        "{} is complete: nothing was left to do",
        contents::shown(out)
    ));
    match io.format {
        Format::Table => io.print(page::painted(&text, io.color)),
        _ => io.print(text),
    }
    Ok(Exit::Done)
}

fn shard_done(out: &Path, course: &Course, rows: &RowFile, io: &mut Context) -> Result<Exit> {
    let out = contents::shown(out);
    let done = rows.count();
    match io.format {
        Format::Json => io.print(format_args!(
            "{}\n",
            serde_json::json!({"schema": 1, "trials": done, "complete": course.is_complete, "shard": out})
        )),
        _ => io.print(format_args!("{done} trials in {out}\n")),
    }
    stopped(course)
}

/// Ctrl-C is no success: what follows in a script expects the whole.
fn stopped(course: &Course) -> Result<Exit> {
    if course.is_complete {
        return Ok(Exit::Done);
    }
    Err(Error::new(
        Problem::new("interrupted before all trials were made")
            .help("the same command with --resume goes on from the last one"),
    ))
}

/// The same of a sweep that was judged.
fn ended(course: &Course, shown: &Shown) -> Result<Exit> {
    if shown.missing.is_empty() {
        return stopped(course);
    }
    Err(Error::new(
        Problem::new(format!(
            "interrupted while the best trial was judged: {} missing",
            shown.missing.join(", ")
        ))
        .help("all trials are kept: the same command with --resume judges them"),
    ))
}

/// What is left to do when the trials are made.
struct Ending<'a> {
    out: &'a Path,
    top: usize,
    sort: Option<&'a Goal>,
    record: Manifest,
    /// The ledgers as they were; `None` counts the trials in those that there are.
    ledger: Option<LedgerCopy>,
    cancel: &'a AtomicBool,
}

/// A finished sweep as it is shown.
struct Shown {
    page: String,
    object: String,
    csv: String,
    /// Figures that are missing since their computation was interrupted.
    missing: Vec<&'static str>,
}

impl Ending<'_> {
    /// Judges the sweep and puts its files in place.
    fn write(
        &mut self,
        field: &Field,
        plan: &Plan,
        course: &Course,
        rows: &mut dyn Rows,
        io: &mut Context,
    ) -> Result<Shown> {
        let all = self.all_trials(field, course, rows, io);
        let judging = Judging {
            top: self.top,
            sharpes_all: all.as_ref().map(|all| all.sharpes),
            seed: self.record.seed,
            watch: Watch {
                cancel: self.cancel,
                progress: &|_| {},
            },
        };
        let swept = judge(field, plan, course, rows, &judging)?;
        let mut tables = folder::write_tables(self.out, field, course, rows)?;
        let page = text::page(field, &swept, self.top, self.sort);
        let mut files = pictures::files(field, &swept)?;
        let small = files.iter().map(|(name, _)| name.clone());
        let names: Vec<String> = tables.iter().cloned().chain(small).collect();
        let object = json::object(field, &swept, course, rows, &names)?;
        let object = format!("{object}\n");
        files.push((folder::JSON.to_owned(), object.clone().into_bytes()));
        files.push((folder::PAGE.to_owned(), page.clone().into_bytes()));
        if swept.is_complete {
            self.record.trials = Some(swept.ranking.count);
            if let Some(sweep) = &mut self.record.sweep {
                sweep.top = self.top as u64;
                sweep.ledger = all.as_ref().map(LedgerCopy::of);
            }
            folder::finish(self.out, &mut self.record, &tables, &files)?;
        } else {
            for (name, bytes) in &files {
                folder::put(self.out, name, bytes)?;
            }
        }
        tables.clear();
        Ok(Shown {
            page,
            object,
            csv: text::csv(field, &swept.ranking, self.top),
            missing: match &swept.judgement {
                Ok(judged) => judged.interrupted(),
                Err(_) => Vec::new(),
            },
        })
    }

    /// Every trial ever made on these data; without a ledger nothing else is lost.
    fn all_trials(
        &self,
        field: &Field,
        course: &Course,
        rows: &mut dyn Rows,
        io: &mut Context,
    ) -> Option<AllTrials> {
        if let Some(copy) = &self.ledger {
            return copy.trials();
        }
        match count(field, course, rows, Path::new(LEDGERS)) {
            Ok(all) => Some(all),
            Err(error) => {
                io.note(format_args!("the trials are not counted: {error}"));
                None
            }
        }
    }
}

fn show(shown: &Shown, out: &Path, io: &mut Context) {
    match io.format {
        Format::Table => {
            io.print(page::painted(&shown.page, io.color));
            io.print(format_args!("\nWritten to {}\n", contents::shown(out)));
        }
        Format::Json => io.print(&shown.object),
        Format::Csv => io.print(&shown.csv),
    }
}

/// The field of a sweep as a record tells it.
fn restored(manifest: &Manifest, io: &Context) -> Result<Field> {
    let kept = &manifest.strategy;
    let folder = Path::new(&kept.file).parent().unwrap_or(Path::new(""));
    let overrides = overrides(&manifest.flags)?;
    let mut strategy = Strategy::parse(&kept.text, &kept.file, folder, &overrides)?;
    record::restore(&mut strategy, manifest)?;
    Field::new(strategy, overrides, io.jobs, true)
}

/// A shard of a sweep: part and number of parts from 1, folder, record.
type Shard<'a> = (u64, u64, &'a Path, Manifest);

/// The shards of one sweep in their order; each must be there once.
fn shards(args: &MergeArgs) -> Result<Vec<Shard<'_>>> {
    let mut parts: Vec<Shard<'_>> = Vec::new();
    for dir in &args.shards {
        let refuse = |message: &str, help: &str| {
            let problem = Problem::new(format!("{}: {message}", dir.display()));
            Err(Error::new(problem.help(help.to_owned())))
        };
        let Some(manifest) = record::unfinished(dir)? else {
            return refuse("no shard of a sweep", "give the folders that --shard wrote");
        };
        let Some((part, of)) = manifest.sweep.as_ref().and_then(|sweep| sweep.shard) else {
            return refuse("an unfinished sweep, no shard", "finish it with --resume");
        };
        if let Some((_, _, first, other)) = parts.first()
            && let Some(why) = record::difference(other, &manifest)
        {
            let message = format!("not of the sweep of {}: {why}", first.display());
            return refuse(&message, "merge the shards of one sweep");
        }
        parts.push((part, of, dir, manifest));
    }
    parts.sort_by_key(|(part, ..)| *part);
    let wanted = parts.first().map_or(0, |(_, of, ..)| *of);
    let have: Vec<u64> = parts.iter().map(|(part, ..)| *part).collect();
    if have != (1..=wanted).collect::<Vec<u64>>() || parts.iter().any(|part| part.1 != wanted) {
        let have: Vec<String> = parts
            .iter()
            .map(|(p, of, ..)| format!("{p}/{of}"))
            .collect();
        let problem = Problem::new(format!("the shards are {}", have.join(", ")));
        return Err(Error::new(
            problem.help(format!("each of 1/{wanted} to {wanted}/{wanted} once")),
        ));
    }
    Ok(parts)
}

/// The rows of all shards, one after another.
fn gather(parts: &[Shard<'_>], rows: &mut RowFile) -> Result<()> {
    for (part, of, dir, manifest) in parts {
        let planned = manifest.sweep.as_ref().map_or(0, |sweep| sweep.planned);
        let mut shard = RowFile::open(&dir.join(record::ROWS))?;
        if shard.count() != planned {
            let problem = Problem::new(format!(
                "shard {part}/{of} has {} of its {planned} trials",
                shard.count()
            ));
            return Err(Error::new(problem.help("finish it with --resume first")));
        }
        copy_rows(&mut shard, rows)?;
    }
    Ok(())
}

fn merged(args: &MergeArgs, io: &mut Context) -> Result<Exit> {
    let parts = shards(args)?;
    let Some((.., manifest)) = parts.first() else {
        return Err(Error::msg("no shard was given"));
    };
    let field = restored(manifest, io)?;
    let plan = Plan::of(&field, manifest.seed)?;
    let record = record::of(&field, &plan, (manifest.flags.clone(), manifest.seed), None)?;
    if let Some(why) = record::difference(manifest, &record) {
        let problem = Problem::new(format!("the shards cannot be merged: {why}"));
        return Err(Error::new(problem.help("run them again as they are now")));
    }
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| Path::new(REPORTS).join(format!("{}-sweep", field.strategy.stem)));
    folder::claim(&out, &record, false, args.force)?;
    let mut rows = RowFile::open(&folder::prepare(&out, &record, Claim::Fresh)?)?;
    gather(&parts, &mut rows)?;
    let cancel = interruption();
    let course = course(&field, &plan, Ask::Figures, &mut rows, &cancel, io)?;
    let mut ending = Ending {
        out: &out,
        top: args.top as usize,
        sort: None,
        record,
        ledger: None,
        cancel: &cancel,
    };
    let shown = ending.write(&field, &plan, &course, &mut rows, io)?;
    show(&shown, &out, io);
    ended(&course, &shown)
}

fn copy_rows(from: &mut RowFile, to: &mut RowFile) -> Result<()> {
    const AT_ONCE: u64 = 1 << 16;
    let mut at = 0;
    while at < from.count() {
        let part = at..(at + AT_ONCE).min(from.count());
        at = part.end;
        let mut rows = Vec::new();
        from.each(part, &mut |row| {
            rows.push(row.clone());
            Ok(())
        })?;
        to.append(&rows)?;
    }
    Ok(())
}

/// Makes a finished sweep again, judged with the ledgers as they were, in a folder beside it that is
/// removed afterwards; the files as they came out.
pub(crate) fn again_beside(
    dir: &Path,
    manifest: &Manifest,
    io: &mut Context,
) -> Result<Vec<(String, Vec<u8>)>> {
    let field = restored(manifest, io)?;
    let plan = Plan::of(&field, manifest.seed)?;
    let record = record::of(&field, &plan, (manifest.flags.clone(), manifest.seed), None)?;
    let out = dir.with_extension("rerun");
    let mut rows = RowFile::open(&folder::prepare(&out, &record, Claim::Fresh)?)?;
    let cancel = interruption();
    let sweep = manifest.sweep.as_ref();
    let mut ending = Ending {
        out: &out,
        top: sweep.map_or(1, |sweep| sweep.top as usize),
        sort: None,
        record,
        ledger: sweep.and_then(|sweep| sweep.ledger.clone()),
        cancel: &cancel,
    };
    let done = course(&field, &plan, Ask::Blocks, &mut rows, &cancel, io).and_then(|course| {
        let shown = ending.write(&field, &plan, &course, &mut rows, io)?;
        ended(&course, &shown)
    });
    let names = manifest.files.iter().map(|file| file.file.clone());
    let names = names.chain([papertape::report::manifest::FILE_NAME.to_owned()]);
    let read = |name: String| (std::fs::read(out.join(&name)).unwrap_or_default(), name);
    let files = names.map(read).map(|(bytes, name)| (name, bytes)).collect();
    // What is left of the attempt is only in the way.
    let _ = std::fs::remove_dir_all(&out);
    done.map(|_| files)
}
