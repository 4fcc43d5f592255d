//! `data check`, `data show`, `data import`: what is in files of prices, what is wrong with them,
//! and the same in the native layout. The library finds and counts; here it is only laid out.

use crate::cli::flags::pair;
use crate::cli::page::paragraph;
use crate::cli::{Context, Exit, Format};
use papertape::error::Result;
use papertape::market::audit::{Audit, Finding, Severity, audit_all};
use papertape::market::chain::{ChainCoverage, ChainOptions, Chains, holds_chains};
use papertape::market::{
    Calendar, Coverage, Market, ReadOptions, SymbolCoverage, coverage, import, import_chains,
    show_time,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Findings about files or folders, with rows and cures; exit status 1 if one is severe
    Check {
        /// Files or folders of prices, option chains or rates
        #[arg(required = true, value_name = "SOURCE")]
        sources: Vec<PathBuf>,
        #[command(flatten)]
        reading: Reading,
        /// Which days are sessions; told from the dates unless given
        #[arg(long, value_name = "nyse|weekdays|24/7|none", value_parser = calendar)]
        calendar: Option<Calendar>,
    },
    /// Symbols, ranges, bars, missing sessions, actions; of option chains: contracts and columns
    Show {
        /// Files or folders of prices, or of option chains
        #[arg(required = true, value_name = "SOURCE")]
        sources: Vec<PathBuf>,
        #[command(flatten)]
        reading: Reading,
    },
    /// Write prices or option chains as Parquet in the native layout, a file a symbol
    Import {
        /// File or folder of prices, or of option chains
        #[arg(value_name = "SOURCE")]
        source: PathBuf,
        /// Folder to write to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        reading: Reading,
    },
}

/// How files are read.
#[derive(Debug, clap::Args)]
struct Reading {
    /// Dividends and splits; `actions.csv` beside the data unless given
    #[arg(long, value_name = "FILE")]
    actions: Option<PathBuf>,
    /// Which column of the data is meant, for example `close=Last`
    #[arg(long, value_name = "OURS=THEIRS", value_parser = pair, value_delimiter = ',')]
    columns: Vec<(String, String)>,
    /// Only these symbols; one names the underlying of a chain that does not
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    symbols: Vec<String>,
}

impl Reading {
    fn options(&self) -> ReadOptions {
        ReadOptions {
            symbols: self.symbols.clone(),
            columns: self.columns.clone(),
            actions: self.actions.clone(),
            ..ReadOptions::default()
        }
    }
}

impl Reading {
    fn chains(&self) -> ChainOptions {
        let only = match self.symbols.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        };
        ChainOptions {
            underlying: only,
            symbols: self.symbols.clone(),
        }
    }
}

fn calendar(name: &str) -> std::result::Result<Calendar, String> {
    Calendar::parse(name).ok_or_else(|| "expected nyse, weekdays, 24/7 or none".to_owned())
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    match args.what {
        What::Check {
            sources,
            reading,
            calendar,
        } => check(&sources, &reading, calendar, io),
        What::Show { sources, reading } => show(&sources, &reading, io),
        What::Import {
            source,
            out,
            reading,
        } => {
            let chains = holds_chains(&source);
            let done = if chains {
                import_chains(&source, &out, &reading.chains())?
            } else {
                import(&source, &out, &reading.options())?
            };
            for note in &done.notes {
                io.note(note);
            }
            for file in &done.files {
                io.print(format_args!("{}\n", file.display()));
            }
            io.note(format_args!(
                "{} {} of {} symbols written",
                done.bars,
                if chains { "quotes" } else { "bars" },
                done.symbols
            ));
            Ok(Exit::Done)
        }
    }
}

fn check(
    sources: &[PathBuf],
    reading: &Reading,
    calendar: Option<Calendar>,
    io: &mut Context,
) -> Result<Exit> {
    let all = audit_all(sources, &reading.options(), calendar)?;
    match io.format {
        Format::Table => io.print(check_text(&all)),
        Format::Json => io.print(format_args!("{:#}\n", check_json(&all))),
        Format::Csv => io.print(check_csv(&all)),
    }
    Ok(if all.has_severe() {
        Exit::CheckFailed
    } else {
        Exit::Done
    })
}

/// `1 file`, `3 files`.
fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// ` rows 3, 7, 9, ...`, ` row 3`, or nothing.
fn rows_of(finding: &Finding) -> String {
    let named: Vec<String> = finding.rows.iter().map(u64::to_string).collect();
    let more = finding.count.saturating_sub(named.len());
    match (named.len(), more) {
        (0, _) => String::new(),
        (1, 0) => format!(" row {}", named[0]),
        (_, 0) => format!(" rows {}", named.join(", ")),
        (1, _) => format!(" from row {}", named[0]),
        _ => format!(" rows {}, ...", named.join(", ")),
    }
}

fn check_text(audit: &Audit) -> String {
    let mut text = String::new();
    for file in &audit.files {
        let symbols = match file.symbols {
            0 | 1 => String::new(),
            n => format!(", {n} symbols"),
        };
        text.push_str(&format!(
            "{}: {}, {} rows{symbols}\n",
            file.file, file.holds, file.rows
        ));
        let findings: Vec<&Finding> = audit
            .findings
            .iter()
            .filter(|f| f.file == file.file)
            .collect();
        if findings.is_empty() {
            text.push_str("  nothing found\n");
        }
        for finding in findings {
            let whose = match finding.symbol.as_str() {
                "" => String::new(),
                symbol if file.symbols > 1 => format!("{symbol}: "),
                _ => String::new(),
            };
            let words = format!(
                "{whose}{};{} -> {}",
                finding.what,
                rows_of(finding),
                finding.cure
            );
            paragraph(&mut text, 12, finding.severity.name(), &words);
        }
    }
    let count = |severity| {
        audit
            .findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    };
    text.push_str(&format!(
        "{}: {} severe, {}, {}\n",
        counted(audit.files.len(), "file"),
        count(Severity::Severe),
        counted(count(Severity::Warning), "warning"),
        counted(count(Severity::Note), "note")
    ));
    text
}

fn check_json(audit: &Audit) -> Value {
    let files: Vec<Value> = audit
        .files
        .iter()
        .map(|f| json!({"file": f.file, "holds": f.holds, "rows": f.rows, "symbols": f.symbols}))
        .collect();
    let findings: Vec<Value> = audit
        .findings
        .iter()
        .map(|f| {
            json!({
                "severity": f.severity.name(), "kind": f.kind.name(), "file": f.file,
                "symbol": f.symbol, "rows": f.rows, "count": f.count, "what": f.what, "cure": f.cure,
            })
        })
        .collect();
    json!({"schema": 1, "severe": audit.has_severe(), "files": files, "findings": findings})
}

fn check_csv(audit: &Audit) -> String {
    let header = [
        "severity", "kind", "file", "symbol", "rows", "count", "what", "cure",
    ];
    let rows = audit.findings.iter().map(|f| {
        let rows: Vec<String> = f.rows.iter().map(u64::to_string).collect();
        vec![
            f.severity.name().to_owned(),
            f.kind.name().to_owned(),
            f.file.clone(),
            f.symbol.clone(),
            rows.join(" "),
            f.count.to_string(),
            f.what.clone(),
            f.cure.clone(),
        ]
    });
    csv_text(&header, rows)
}

/// Rows of CSV under a header, quoted where they must be.
fn csv_text(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |cells: &[String]| {
        // Writing to memory does not fail.
        let _ = writer.write_record(cells);
    };
    write(
        &header
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    );
    for row in rows {
        write(&row);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

fn show(sources: &[PathBuf], reading: &Reading, io: &mut Context) -> Result<Exit> {
    let (chains, sources): (Vec<&PathBuf>, Vec<&PathBuf>) =
        sources.iter().partition(|source| holds_chains(source));
    if !chains.is_empty() {
        show_chains(&chains, reading, io)?;
    }
    if sources.is_empty() {
        return Ok(Exit::Done);
    }
    let mut all = Vec::new();
    for source in &sources {
        let seen = coverage(&Market::read(source, &reading.options())?);
        for note in &seen.notes {
            io.note(note);
        }
        all.push(seen);
    }
    match io.format {
        Format::Table => {
            for (source, seen) in sources.iter().zip(&all) {
                io.print(show_text(&source.display().to_string(), seen));
            }
        }
        Format::Json => {
            for seen in &all {
                io.print(format_args!("{}\n", show_json(seen)));
            }
        }
        Format::Csv => io.print(show_csv(&all)),
    }
    Ok(Exit::Done)
}

fn show_chains(sources: &[&PathBuf], reading: &Reading, io: &mut Context) -> Result<()> {
    let mut csv = Vec::new();
    for source in sources {
        let chains = Chains::read(source, &reading.chains())?;
        for note in chains.notes() {
            io.note(note);
        }
        let seen = chains.coverage();
        match io.format {
            Format::Table => io.print(chains_text(&source.display().to_string(), &chains, &seen)),
            Format::Json => io.print(format_args!("{}\n", chains_json(&chains, &seen))),
            Format::Csv => csv.extend(seen),
        }
    }
    if io.format == Format::Csv {
        io.print(chains_csv(&csv));
    }
    Ok(())
}

fn chains_text(source: &str, chains: &Chains, seen: &[ChainCoverage]) -> String {
    let mut layouts: Vec<&str> = chains.files().iter().map(|(_, layout)| *layout).collect();
    layouts.dedup();
    let mut text = format!(
        "{source}: option chains, {}, {} ({})\n",
        counted(chains.len(), "quote"),
        counted(chains.files().len(), "file"),
        layouts.join(", ")
    );
    for chain in seen {
        text.push_str(&format!(
            "  {}: {} to {}, {}, {}, {}\n",
            chain.underlying,
            show_time(chain.first),
            show_time(chain.last),
            counted(chain.moments, "moment"),
            counted(chain.contracts, "contract"),
            counted(chain.expirations, "expiration")
        ));
        text.push_str(&format!(
            "    roots {}; columns {}\n",
            chain.roots.join(", "),
            chain.columns.join(", ")
        ));
    }
    text
}

fn chains_json(chains: &Chains, seen: &[ChainCoverage]) -> Value {
    let files: Vec<Value> = chains
        .files()
        .iter()
        .map(|(file, layout)| json!({"file": file, "layout": layout}))
        .collect();
    let all: Vec<Value> = seen
        .iter()
        .map(|c| {
            json!({
                "underlying": c.underlying, "roots": c.roots, "first": show_time(c.first),
                "last": show_time(c.last), "moments": c.moments, "quotes": c.quotes,
                "contracts": c.contracts, "expirations": c.expirations, "columns": c.columns,
            })
        })
        .collect();
    json!({"schema": 1, "quotes": chains.len(), "files": files, "chains": all})
}

fn chains_csv(seen: &[ChainCoverage]) -> String {
    let header = [
        "underlying",
        "roots",
        "first",
        "last",
        "moments",
        "quotes",
        "contracts",
        "expirations",
        "columns",
    ];
    let rows = seen.iter().map(|c| {
        vec![
            c.underlying.clone(),
            c.roots.join(" "),
            show_time(c.first),
            show_time(c.last),
            c.moments.to_string(),
            c.quotes.to_string(),
            c.contracts.to_string(),
            c.expirations.to_string(),
            c.columns.join(" "),
        ]
    });
    csv_text(&header, rows)
}

fn moment(time: Option<i64>) -> String {
    time.map(show_time).unwrap_or_default()
}

/// `2 splits, 30 dividends, 1 special`.
fn actions_of(symbol: &SymbolCoverage) -> String {
    let numbers = [
        (symbol.splits, "split"),
        (symbol.dividends, "dividend"),
        (symbol.special_dividends, "special dividend"),
        (usize::from(symbol.is_delisted), "delisting"),
    ];
    let words: Vec<String> = numbers
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, noun)| counted(n, noun))
        .collect();
    words.join(", ")
}

fn show_text(source: &str, seen: &Coverage) -> String {
    let mut text = format!(
        "{source}: {}, bars of {}, {} moments, calendar {}\n",
        counted(seen.symbols.len(), "symbol"),
        seen.interval.name(),
        seen.moments,
        seen.calendar.name()
    );
    let widest = seen
        .symbols
        .iter()
        .map(|s| s.symbol.chars().count())
        .max()
        .unwrap_or(0);
    let wide = widest.clamp(6, 24);
    let day = seen
        .symbols
        .iter()
        .flat_map(|s| [s.first, s.last])
        .map(|t| moment(t).len())
        .max();
    let day = day.unwrap_or(0).max(10);
    text.push_str(&format!(
        "  {:<wide$}  {:<day$}  {:<day$}  {:>8}  {:>7}  actions\n",
        "symbol", "first", "last", "bars", "missing"
    ));
    for symbol in &seen.symbols {
        let line = format!(
            "  {:<wide$}  {:<day$}  {:<day$}  {:>8}  {:>7}  {}",
            symbol.symbol,
            moment(symbol.first),
            moment(symbol.last),
            symbol.bars,
            symbol.missing,
            actions_of(symbol)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn show_json(seen: &Coverage) -> Value {
    let symbols: Vec<Value> = seen
        .symbols
        .iter()
        .map(|s| {
            let gap = s.longest_gap.map(|(missing, from, to)| {
                json!({"missing": missing, "from": from.to_string(), "to": to.to_string()})
            });
            json!({
                "symbol": s.symbol, "file": s.file, "first": s.first.map(show_time),
                "last": s.last.map(show_time), "bars": s.bars, "missing": s.missing,
                "longest_gap": gap, "splits": s.splits, "dividends": s.dividends,
                "special_dividends": s.special_dividends, "delisted": s.is_delisted,
                "closes_only": s.closes_only, "columns": s.columns,
            })
        })
        .collect();
    json!({
        "schema": 1, "interval": seen.interval.name(), "calendar": seen.calendar.name(),
        "moments": seen.moments, "symbols": symbols,
    })
}

fn show_csv(all: &[Coverage]) -> String {
    let header = [
        "symbol",
        "file",
        "first",
        "last",
        "bars",
        "missing",
        "splits",
        "dividends",
        "special_dividends",
        "delisted",
        "closes_only",
        "columns",
    ];
    let rows = all.iter().flat_map(|seen| &seen.symbols).map(|s| {
        vec![
            s.symbol.clone(),
            s.file.clone(),
            moment(s.first),
            moment(s.last),
            s.bars.to_string(),
            s.missing.to_string(),
            s.splits.to_string(),
            s.dividends.to_string(),
            s.special_dividends.to_string(),
            s.is_delisted.to_string(),
            s.closes_only.to_string(),
            s.columns.join(" "),
        ]
    });
    csv_text(&header, rows)
}
