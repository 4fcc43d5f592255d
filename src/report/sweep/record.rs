//! Which sweep a folder is of: its manifest, with the axes as they were resolved. An unfinished sweep
//! has the same under another name, without files; two attempts are of one sweep when all of it is
//! the same.

use crate::error::{Error, Problem, Result};
use crate::report::contents::{data, strategy_file};
use crate::report::manifest::{
    self, Assumption, AxisRecord, FileHash, Flags, Manifest, Program, SCHEMA, SweepRecord,
};
use crate::strategy::{Strategy, SweepAxis, SweepMethod, SweepValue};
use crate::study::sweep::{Field, Plan};
use std::path::Path;

/// Name of the record of an unfinished sweep or of a shard.
pub const UNFINISHED: &str = "unfinished.json";
/// Name of the rows of an unfinished sweep or of a shard.
pub const ROWS: &str = "unfinished.rows";

/// Markets whose files enter the record.
const MARKETS_MAX: u64 = 64;

/// The record of a sweep, without files.
///
/// # Errors
/// As [`Field::market_of`], and a rate file that cannot be read.
pub fn of(
    field: &Field,
    plan: &Plan,
    (flags, seed): (Flags, u64),
    shard: Option<(u64, u64)>,
) -> Result<Manifest> {
    let strategy = &field.strategy;
    let table = &strategy.sweep;
    let assumption = |(key, value, given): &(String, String, bool)| Assumption {
        key: key.clone(),
        value: value.clone(),
        given: *given,
    };
    let axis = |axis: &SweepAxis| AxisRecord {
        key: axis.key.clone(),
        values: axis.values.iter().map(|value| value.text.clone()).collect(),
    };
    Ok(Manifest {
        schema: SCHEMA,
        program: Program::this(),
        strategy: strategy_file(strategy),
        data: files(field)?,
        assumptions: strategy.assumptions.iter().map(assumption).collect(),
        flags,
        seed,
        trials: None,
        sweep: Some(SweepRecord {
            axes: field.space.axes.iter().map(axis).collect(),
            constraint: table.constraint.as_ref().map(|text| text.text.clone()),
            objective: table.objective.clone(),
            method: method(table.method).to_owned(),
            samples: table.samples,
            seed: table.seed,
            planned: plan.choice.len(),
            shard,
            top: 0,
            ledger: None,
        }),
        ledger: None,
        files: Vec::new(),
    })
}

/// A method by its name in the file.
pub fn method(method: SweepMethod) -> &'static str {
    match method {
        SweepMethod::Grid => "grid",
        SweepMethod::Random => "random",
        SweepMethod::Halving => "halving",
    }
}

/// The files of the markets of a field, each once.
fn files(field: &Field) -> Result<Vec<FileHash>> {
    let a_market = field.space.points_a_market();
    let markets = (field.space.total / a_market).min(MARKETS_MAX);
    let mut files: Vec<FileHash> = Vec::new();
    // Backwards, so that the first market is the one at hand afterwards.
    for id in (0..markets).rev() {
        let market = field.market_of(id * a_market)?;
        for file in data(&field.strategy, &market)? {
            if !files.iter().any(|known| known.file == file.file) {
                files.push(file);
            }
        }
    }
    files.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(files)
}

/// Gives a strategy the axes and the search of a record, in place of those of its file.
///
/// # Errors
/// A manifest without a sweep.
pub fn restore(strategy: &mut Strategy, manifest: &Manifest) -> Result<()> {
    let Some(sweep) = &manifest.sweep else {
        return Err(Error::msg("the manifest is not of a sweep"));
    };
    let value = |text: &String| SweepValue {
        text: text.clone(),
        number: text.parse().ok().filter(|x: &f64| x.is_finite()),
    };
    let axis = |axis: &AxisRecord| SweepAxis {
        key: axis.key.clone(),
        values: axis.values.iter().map(value).collect(),
        origin: format!("{} of the manifest", axis.key),
    };
    let table = &mut strategy.sweep;
    table.axes = sweep.axes.iter().map(axis).collect();
    table.constraint = sweep
        .constraint
        .as_ref()
        .map(|text| crate::strategy::ExprText {
            text: text.clone(),
            span: None,
            key: "sweep.where".to_owned(),
        });
    table.objective.clone_from(&sweep.objective);
    table.method = match sweep.method.as_str() {
        "random" => SweepMethod::Random,
        "halving" => SweepMethod::Halving,
        _ => SweepMethod::Grid,
    };
    table.samples = sweep.samples;
    table.seed = sweep.seed;
    Ok(())
}

/// In which way two records are of different sweeps; `None` when they are of one. Shards count as
/// one sweep.
pub fn difference(a: &Manifest, b: &Manifest) -> Option<&'static str> {
    let sweep = |m: &Manifest| {
        m.sweep.clone().map(|sweep| SweepRecord {
            shard: None,
            planned: 0,
            top: 0,
            ledger: None,
            ..sweep
        })
    };
    match (sweep(a), sweep(b)) {
        (None, _) | (_, None) => return Some("it is not of a sweep"),
        (Some(a), Some(b)) if a.axes != b.axes => return Some("its axes or their values differ"),
        (Some(a), Some(b)) if a != b => {
            return Some("its objective, constraint, method or samples differ");
        }
        _ => {}
    }
    if a.strategy.text != b.strategy.text || a.strategy.name != b.strategy.name {
        return Some("its strategy file differs");
    }
    if a.data != b.data {
        return Some("its data differ");
    }
    if a.flags != b.flags || a.assumptions != b.assumptions {
        return Some("its flags differ");
    }
    if a.seed != b.seed {
        return Some("its seed differs");
    }
    (a.program != b.program).then_some("another version of the program made it")
}

/// The record of an unfinished sweep or a shard in a folder; `None` when there is none.
///
/// # Errors
/// A record that cannot be read.
pub fn unfinished(dir: &Path) -> Result<Option<Manifest>> {
    let path = dir.join(UNFINISHED);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(None);
    };
    let read = serde_json::from_str(&text).map_err(|cause| {
        Problem::new(format!("not the record of a sweep: {cause}"))
            .in_file(path.display().to_string())
            .help("give another folder with --out, or --force to begin anew")
    })?;
    Ok(Some(read))
}

/// The manifest of a finished sweep in a folder; `None` when there is none.
pub fn finished(dir: &Path) -> Option<Manifest> {
    let manifest = Manifest::read(dir).ok()?;
    let is_there = dir.join(manifest::FILE_NAME).exists();
    (is_there && manifest.sweep.is_some()).then_some(manifest)
}
