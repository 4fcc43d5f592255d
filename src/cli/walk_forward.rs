//! `walk-forward FILE`: parameters chosen on the past, judged on the future; the out-of-sample curve
//! is the headline.

use crate::cli::flags::{StrategyFlags, axis};
use crate::cli::progress::Bar;
use crate::cli::simulated::kept;
use crate::cli::sweep::{LEDGERS, interruption};
use crate::cli::{Context, Exit, Format, holdout, page};
use papertape::engine::{self, Outcome, Stage};
use papertape::error::{Error, Problem, Result};
use papertape::market::Market;
use papertape::report::folder::NewFile;
use papertape::report::manifest::{Flags, LedgerCopy, Manifest, WalkFlags};
use papertape::report::walk_forward::kept::{self, KeptWalk};
use papertape::report::{Summary, contents, folder, text, walk_forward as pages};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::sweep::{Choice, Field, Watch};
use papertape::study::walk_forward::{
    Candidates, Crossing, Objective, Walk, WalkOptions, WalkPart, Windows, folds_of, simulations,
    walk_forward, whole,
};
use papertape::study::{judge_as_it_is, stress_through};
use std::cell::Cell;
use std::path::{Path, PathBuf};

/// Where walks go unless `--out` says otherwise: beside the runs, under a name of their own.
const REPORTS: &str = "reports";

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A strategy file with [walk_forward] and [sweep]
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What varies, for example `period=5..30:5` or `low=20,25,30`; beside
    /// `[sweep]`, or in place of its line
    #[arg(long, value_name = "KEY=VALUES", value_parser = axis)]
    vary: Vec<(String, String)>,
    /// Combinatorial purged cross-validation too: groups, and how many are tested at a time
    #[arg(long, value_name = "GROUPS/TESTED")]
    cpcv: Option<String>,
    /// Bars left out of training after each tested group of --cpcv [default: walk_forward.purge_bars]
    #[arg(long, value_name = "BARS", requires = "cpcv")]
    embargo: Option<u32>,
    #[command(flatten)]
    strategy: StrategyFlags,
    /// The walk's folder [default: reports/<file>-walk-forward]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write into a folder that holds something else than a walk of this strategy
    #[arg(long)]
    force: bool,
    /// Go on where an earlier attempt stopped
    #[arg(long)]
    resume: bool,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let overrides = args.strategy.overrides();
    let strategy = Strategy::read(&args.file, &overrides)?;
    let flags = Flags {
        walk_forward: Some(WalkFlags {
            vary: args.vary.iter().map(|(k, v)| format!("{k}={v}")).collect(),
            cpcv: args.cpcv.clone(),
            embargo: args.embargo,
            folds: None,
        }),
        ..kept(&args.strategy)
    };
    let job = Job::new(strategy, overrides, flags, io.seed)?;
    let name = job.strategy.name.as_str();
    let dir = match &args.out {
        Some(out) => out.clone(),
        None => Path::new(REPORTS).join(format!("{}-walk-forward", job.strategy.stem)),
    };
    folder::claim(&dir, name, &contents::shown(&args.file), args.force)?;
    holdout::record(&job.strategy, "walk-forward", Some(&dir))?;
    let keeping = Keeping {
        dir: &dir,
        resume: args.resume,
        force: args.force,
    };
    let mut walked = job.walk(&Counting::Now, Some(keeping), io)?;
    folder::write(&dir, &walked.files)?;
    if let Some(kept) = walked.kept.take().filter(|_| walked.walk.is_complete) {
        kept.done();
    }
    let notes = walked.market.notes.iter().chain(&walked.note);
    notes.for_each(|note| io.note(note));
    print(&walked, &dir, io);
    ended(&walked.walk)
}

/// The files of a finished walk, made again from its manifest.
pub(crate) fn again(
    strategy: Strategy,
    overrides: Overrides,
    manifest: &Manifest,
    io: &Context,
) -> Result<Vec<NewFile>> {
    let job = Job::new(strategy, overrides, manifest.flags.clone(), manifest.seed)?;
    let counting = Counting::AsKept(manifest.ledger.clone());
    Ok(job.walk(&counting, None, io)?.files)
}

/// Where an unfinished walk keeps its folds, and what is to become of those of an earlier attempt.
struct Keeping<'a> {
    dir: &'a Path,
    resume: bool,
    force: bool,
}

impl Keeping<'_> {
    /// What is kept, and the parts that are there.
    fn open(
        &self,
        strategy: &Strategy,
        market: &Market,
        (flags, seed): (Flags, u64),
    ) -> Result<(Option<KeptWalk>, Vec<WalkPart>)> {
        let record = contents::record_of_walk(strategy, market, flags, seed)?;
        let (kept, parts) = kept::open(self.dir, &record, self.resume, self.force)?;
        Ok((Some(kept), parts))
    }
}

/// What a walk refuses it refuses again, so that its folds are of no use. (A full disk can be mended.)
fn forgotten(kept: Option<KeptWalk>) -> Option<KeptWalk> {
    if let Some(kept) = kept {
        kept.done();
    }
    None
}

/// Ctrl-C is no success: what follows in a script expects the whole.
fn ended(walk: &Walk) -> Result<Exit> {
    if walk.is_complete {
        return Ok(Exit::Done);
    }
    Err(Error::new(
        Problem::new(format!(
            "interrupted after {} of {} folds",
            walk.folds.len(),
            walk.planned
        ))
        .help("the same command with --resume goes on from the last one"),
    ))
}

/// A walk to be done.
struct Job {
    strategy: Strategy,
    overrides: Overrides,
    flags: Flags,
    crossing: Option<Crossing>,
    seed: u64,
}

/// What the ledger of trials is asked.
enum Counting {
    /// To count these trials, and how many there then are.
    Now,
    /// Nothing: the walk is judged by what it held then.
    AsKept(Option<LedgerCopy>),
}

impl Counting {
    /// Every trial ever made on these data. A walk whose trials cannot be counted is still a walk: the
    /// note says so.
    fn all(
        &self,
        candidates: &Candidates<'_>,
        walk: &Walk,
    ) -> (Option<LedgerCopy>, Option<String>) {
        match self {
            Counting::AsKept(copy) => (copy.clone(), None),
            Counting::Now => match candidates.count(&walk.sharpes, Path::new(LEDGERS)) {
                Ok(all) => (Some(LedgerCopy::of(&all)), None),
                Err(error) => (None, Some(format!("the trials are not counted: {error}"))),
            },
        }
    }
}

/// A finished walk.
struct Walked {
    /// Why its trials were not counted.
    note: Option<String>,
    market: Market,
    walk: Walk,
    summary: Summary,
    files: Vec<NewFile>,
    kept: Option<KeptWalk>,
}

impl Job {
    /// The strategy under the name of its walk, with what the flags vary.
    fn new(mut strategy: Strategy, overrides: Overrides, flags: Flags, seed: u64) -> Result<Self> {
        let walk = flags.walk_forward.clone().unwrap_or_default();
        for (key, values) in walk.vary.iter().filter_map(|text| text.split_once('=')) {
            strategy.vary(key, values)?;
        }
        strategy.name = format!("{}, walked forward", strategy.name);
        let crossing = crossing(&walk, &strategy)?;
        Ok(Job {
            strategy,
            overrides,
            flags,
            crossing,
            seed,
        })
    }

    fn walk(
        self,
        counting: &Counting,
        keeping: Option<Keeping<'_>>,
        io: &Context,
    ) -> Result<Walked> {
        let field = Field::new(self.strategy, self.overrides, io.jobs, true)?;
        let flags = (self.flags, self.seed);
        walked(&field, self.crossing, flags, (counting, keeping), io)
    }
}

/// The cross-validation that was asked for.
fn crossing(flags: &WalkFlags, strategy: &Strategy) -> Result<Option<Crossing>> {
    let Some(text) = &flags.cpcv else {
        return Ok(None);
    };
    let purge_bars = strategy.walk_forward.purge_bars as usize;
    let crossing = Crossing::parse(text, purge_bars)
        .map_err(|why| Error::new(Problem::new(why).in_file(format!("--cpcv {text}"))))?;
    let embargo_bars = flags.embargo.map_or(purge_bars, |bars| bars as usize);
    Ok(Some(Crossing {
        embargo_bars,
        ..crossing
    }))
}

/// The combinations that windows choose from.
fn choice(field: &Field, seed: u64) -> Result<Choice> {
    let sweep = &field.strategy.sweep;
    let samples = sweep.samples.map(u64::from);
    let seed = sweep.seed.map_or(seed, u64::from);
    Choice::of(&field.space, sweep.method, samples, seed)
}

fn walked(
    field: &Field,
    crossing: Option<Crossing>,
    (mut flags, seed): (Flags, u64),
    (counting, keeping): (&Counting, Option<Keeping<'_>>),
    io: &Context,
) -> Result<Walked> {
    // With every symbol that a window may choose.
    let strategy = &whole(field)?;
    let windows = Windows::of(strategy)?;
    let market = engine::read_market(strategy, true)?;
    let choice = choice(field, seed)?;
    let candidates = Candidates::new(field, &market, &choice)?;
    let folds = located(folds_of(&candidates, &windows), strategy)?;
    let (kept, parts) = match keeping {
        Some(keeping) => keeping.open(strategy, &market, (flags.clone(), seed))?,
        None => (None, Vec::new()),
    };
    let planned = simulations(&candidates, folds.len(), crossing);
    let bar = Bar::new(planned, "simulations", io);
    let (cancel, is_full) = (interruption(), Cell::new(false));
    let walked = walk_forward(
        &candidates,
        &WalkOptions {
            windows,
            objective: Objective::of(strategy),
            crossing,
            threads: io.jobs,
            watch: Watch {
                cancel: &cancel,
                progress: &|more| bar.done(more),
            },
            kept: &parts,
            keep: &|part| {
                let done = kept.as_ref().map_or(Ok(()), |kept| kept.keep(part));
                is_full.set(done.is_err());
                done
            },
            folds_max: flags.walk_forward.as_ref().and_then(|walk| walk.folds),
        },
    );
    bar.finish();
    let kept = match walked.is_err() && !is_full.get() {
        true => forgotten(kept),
        false => kept,
    };
    let (mut walk, mut outcome) = located(walked, strategy)?;
    if let Some(of_walk) = &mut flags.walk_forward {
        of_walk.folds = Some(walk.folds.len()).filter(|_| !walk.is_complete);
    }
    outcome.run.name.clone_from(&strategy.name);
    let (ledger, note) = match walk.is_complete {
        true => counting.all(&candidates, &walk),
        false => (None, None),
    };
    if let Some(all) = ledger.as_ref().and_then(LedgerCopy::trials) {
        walk.judge_by_all(&all.sharpes);
    }
    let settings = (flags, ledger, seed);
    let stages = candidates.stages(&walk);
    let (summary, files) = pages_of(strategy, &market, (&walk, &stages), outcome, settings)?;
    Ok(Walked {
        note,
        walk,
        summary,
        files,
        market,
        kept,
    })
}

/// What is said of a walk, and the files of its folder.
fn pages_of(
    strategy: &Strategy,
    market: &Market,
    (walk, stages): (&Walk, &[Stage]),
    outcome: Outcome,
    (flags, ledger, seed): (Flags, Option<LedgerCopy>, u64),
) -> Result<(Summary, Vec<NewFile>)> {
    let strategy = &holding(strategy, stages);
    let mut judged = judge_as_it_is(market, strategy, outcome, seed);
    judged.stress = stress_through(market, stages, &judged.outcome, &judged.metrics, seed);
    judged.caveats.splice(0..0, walk.caveats());
    judged.learning = walk.learning.clone();
    let summary = Summary::of(&without_varied(strategy, walk), &judged);
    let both = (walk, &judged);
    let files = contents::of_walk_forward(strategy, market, both, &summary, (flags, ledger))?;
    Ok((summary, files))
}

/// An error of the windows with the file that they stand in.
fn located<T>(result: Result<T>, strategy: &Strategy) -> Result<T> {
    result.map_err(|error| {
        let of_file = |problem: &Problem| match problem.file {
            Some(_) => problem.clone(),
            None => problem.clone().in_file(&strategy.source.name),
        };
        Error::all(error.problems().iter().map(of_file).collect())
    })
}

/// The strategy with as many positions as a window chose symbols, where windows choose them.
fn holding(strategy: &Strategy, stages: &[Stage]) -> Strategy {
    let mut strategy = strategy.clone();
    let chosen = stages.iter().filter(|stage| !stage.held.is_empty());
    if let Some(most) = chosen.filter_map(|s| s.strategy.size.max_positions).max() {
        strategy.size.max_positions.get_or_insert(most);
    }
    strategy
}

/// The strategy as its summary describes it: what varies has no value of its own.
fn without_varied(strategy: &Strategy, walk: &Walk) -> Strategy {
    let mut shown = strategy.clone();
    let varies = |name: &str| walk.stability.iter().any(|s| s.varied.name == name);
    shown.params.retain(|(name, _)| !varies(name));
    shown
}

fn print(walked: &Walked, dir: &Path, io: &mut Context) {
    let names: Vec<String> = walked.files.iter().map(|(name, _)| name.clone()).collect();
    let (walk, summary) = (&walked.walk, &walked.summary);
    match io.format {
        Format::Table => {
            let shown = contents::shown(dir);
            let mut page = pages::text(walk, summary);
            page.push('\n');
            page.push_str(&text::summary(summary, Some((&shown, &names))));
            io.print(page::painted(&page, io.color));
        }
        Format::Json => {
            let path = |name: &String| contents::shown(&dir.join(name));
            let paths: Vec<String> = names.iter().map(path).collect();
            io.print(format_args!("{}\n", pages::object(walk, summary, &paths)));
        }
        Format::Csv => {
            let rows = pages::csv(walk, summary.period.is_intraday);
            io.print(String::from_utf8_lossy(&rows));
        }
    }
}
