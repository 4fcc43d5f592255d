//! `eval EXPR… --data SOURCE`: any expressions over any data, one row a bar and symbol.
//!
//! Rows go by time, then by symbol; a value that does not exist is an empty cell, conditions are
//! `true` and `false`. What expressions mean is the library's business.

use crate::cli::{Context, Exit, Format, flags};
use chrono::NaiveDate;
use papertape::error::{Error, Problem, Result};
use papertape::market::{Cells, Market, ReadOptions, midnight, periods_a_year, write_table};
use papertape::report::cell;
use papertape::rules::{Columns, EvalOptions, ExprId, Kind, Program, Request, Vocabulary};
use papertape::units::{DAY_MICROS, Micros};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints CSV unless --format json or --out says otherwise.\n\
    Example: papertape eval \"rsi(14)\" \"close > sma(200)\" --data data/stocks --symbols AAPL"
)]
pub(crate) struct Args {
    /// Expressions, as in strategy files; one that begins with a minus goes behind `--`
    #[arg(required = true, value_name = "EXPR")]
    expressions: Vec<String>,
    /// Data file or folder
    #[arg(long, value_name = "SOURCE")]
    data: PathBuf,
    /// Symbols wanted, separated by commas; all unless given
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    symbols: Vec<String>,
    /// Dividends and splits; `actions.csv` beside the data unless given
    #[arg(long, value_name = "FILE")]
    actions: Option<PathBuf>,
    /// First day printed; earlier bars still warm the expressions up
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = flags::date)]
    start: Option<NaiveDate>,
    /// Last day printed
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = flags::date)]
    end: Option<NaiveDate>,
    /// Which column of the data is meant, for example `close=Last`
    #[arg(long, value_name = "OURS=THEIRS", value_parser = flags::pair, value_delimiter = ',')]
    columns: Vec<(String, String)>,
    /// Look back through dividends too, not through splits alone
    #[arg(long)]
    total_return: bool,
    /// File to write instead of printing: .csv, .json or .parquet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let options = ReadOptions {
        symbols: args.symbols.clone(),
        columns: args.columns.clone(),
        actions: args.actions.clone(),
        ..ReadOptions::default()
    };
    let market = Market::read(&args.data, &options)?;
    for note in &market.notes {
        io.detail(note);
    }
    let program = compile(&args.expressions, &market)?;
    let options = EvalOptions {
        periods_a_year: periods_a_year(&market.clock).bars_a_year,
        total_return: args.total_return,
    };
    let values = Values {
        market: &market,
        names: &args.expressions,
        ids: (0..args.expressions.len())
            .map(|at| program.wanted(at))
            .collect(),
        columns: program.evaluate(&market, &options)?,
        program: &program,
        from: args.start.map_or(Micros::MIN, midnight),
        until: args
            .end
            .map_or(Micros::MAX, |day| midnight(day) + DAY_MICROS),
    };
    let Some(path) = &args.out else {
        // Output that cannot be written is known to `io`, which ends the process by it.
        let _ = match io.format {
            Format::Json => values.write_json(io),
            Format::Table | Format::Csv => values.write_csv(io),
        };
        return Ok(Exit::Done);
    };
    values.save(path)?;
    io.note(format_args!("wrote {}", path.display()));
    Ok(Exit::Done)
}

/// The expressions as one program; mistakes of all of them at once.
fn compile(expressions: &[String], market: &Market) -> Result<Program> {
    let key = |at: usize| match expressions.len() {
        1 => "expression".to_owned(),
        _ => format!("expression {}", at + 1),
    };
    let keys: Vec<String> = (0..expressions.len()).map(key).collect();
    let mut offset = 0;
    let mut requests = Vec::new();
    for (text, key) in expressions.iter().zip(&keys) {
        requests.push(Request {
            key,
            text,
            offset: Some(offset),
            expects: Kind::Any,
            position: false,
        });
        offset += text.len() + 1;
    }
    Program::compile(&[], &[], &requests, &Vocabulary::of(market))
        .map_err(|problems| Error::all(problems).with_source("expression", expressions.join("\n")))
}

/// The values of expressions, and which of their rows are asked for.
struct Values<'a> {
    market: &'a Market,
    names: &'a [String],
    program: &'a Program,
    ids: Vec<ExprId>,
    columns: Vec<Columns>,
    /// First moment of the rows.
    from: Micros,
    /// First moment after the rows.
    until: Micros,
}

impl Values<'_> {
    /// Calls `row` with the tape and its bar, by time, then by symbol.
    fn rows(&self, mut row: impl FnMut(usize, usize)) {
        let mut next = vec![0; self.market.tapes.len()];
        for moment in self.market.clock.iter() {
            for (tape, next) in next.iter_mut().enumerate() {
                let time = &self.market.tapes[tape].bars.time;
                if time.get(*next) == Some(moment) {
                    if (self.from..self.until).contains(moment) {
                        row(tape, *next);
                    }
                    *next += 1;
                }
            }
        }
    }

    /// Appends the value of an expression, or `absent`.
    fn push(&self, text: &mut String, id: ExprId, (tape, bar): (usize, usize), absent: &str) {
        let columns = &self.columns[tape];
        let before = text.len();
        match self.program.kind(id) {
            Kind::Condition => match columns.condition(id).get(bar) {
                Some(true) => text.push_str("true"),
                Some(false) => text.push_str("false"),
                None => {}
            },
            _ => cell::push_number(text, columns.number(id)[bar]),
        }
        if text.len() == before {
            text.push_str(absent);
        }
    }

    fn write_csv(&self, out: &mut impl Write) -> std::io::Result<()> {
        let intraday = cell::is_intraday(&self.market.clock);
        let mut text = String::from("date,symbol");
        for name in self.names {
            text.push(',');
            text.push_str(&csv_cell(name));
        }
        text.push('\n');
        let symbols: Vec<String> = self
            .market
            .tapes
            .iter()
            .map(|tape| csv_cell(&tape.symbol))
            .collect();
        let mut failure = None;
        self.rows(|tape, bar| {
            let time = self.market.tapes[tape].bars.time[bar];
            cell::push_moment(&mut text, time, intraday);
            text.push(',');
            text.push_str(&symbols[tape]);
            for id in &self.ids {
                text.push(',');
                self.push(&mut text, *id, (tape, bar), "");
            }
            text.push('\n');
            if text.len() > CHUNK {
                failure = failure.take().or(out.write_all(text.as_bytes()).err());
                text.clear();
            }
        });
        failure.map_or_else(|| out.write_all(text.as_bytes()), Err)
    }

    fn write_json(&self, out: &mut impl Write) -> std::io::Result<()> {
        let intraday = cell::is_intraday(&self.market.clock);
        let names = ["date", "symbol"].into_iter();
        let names = names.chain(self.names.iter().map(String::as_str));
        let names: Vec<String> = names.map(json_text).collect();
        let mut text = format!(
            "{{\"schema\":1,\"columns\":[{}],\"rows\":[",
            names.join(",")
        );
        let mut failure = None;
        let mut first = true;
        self.rows(|tape, bar| {
            let of = &self.market.tapes[tape];
            text.push_str(if first { "\n[\"" } else { ",\n[\"" });
            first = false;
            cell::push_moment(&mut text, of.bars.time[bar], intraday);
            text.push_str("\",");
            text.push_str(&json_text(&of.symbol));
            for id in &self.ids {
                text.push(',');
                self.push(&mut text, *id, (tape, bar), "null");
            }
            text.push(']');
            if text.len() > CHUNK {
                failure = failure.take().or(out.write_all(text.as_bytes()).err());
                text.clear();
            }
        });
        text.push_str("\n]}\n");
        failure.map_or_else(|| out.write_all(text.as_bytes()), Err)
    }

    /// Writes the rows to a file of the kind that its name says.
    fn save(&self, path: &Path) -> Result<()> {
        let kind = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        let cannot = |cause: std::io::Error| {
            Problem::new(format!("it cannot be written: {cause}"))
                .in_file(path.display().to_string())
        };
        let create = || std::fs::File::create(path).map(std::io::BufWriter::new);
        match kind.to_ascii_lowercase().as_str() {
            "parquet" => return write_table(path, &self.table()),
            "csv" => create().and_then(|mut file| {
                self.write_csv(&mut file)?;
                file.flush()
            }),
            "json" => create().and_then(|mut file| {
                self.write_json(&mut file)?;
                file.flush()
            }),
            _ => {
                let problem = Problem::new(format!("`{}` names no kind of file", path.display()));
                return Err(problem.help("end it with .csv, .json or .parquet").into());
            }
        }
        .map_err(|cause| cannot(cause).into())
    }

    /// The rows as columns.
    fn table(&self) -> Vec<(String, Cells)> {
        let mut places = Vec::new();
        self.rows(|tape, bar| places.push((tape, bar)));
        let tapes = &self.market.tapes;
        let times = places
            .iter()
            .map(|(tape, bar)| tapes[*tape].bars.time[*bar]);
        let symbols = places.iter().map(|(tape, _)| tapes[*tape].symbol.clone());
        let mut table = vec![
            ("date".to_owned(), Cells::Moments(times.collect())),
            ("symbol".to_owned(), Cells::Texts(symbols.collect())),
        ];
        for (name, id) in self.names.iter().zip(&self.ids) {
            let cells = match self.program.kind(*id) {
                Kind::Condition => Cells::Answers(
                    places
                        .iter()
                        .map(|(tape, bar)| self.columns[*tape].condition(*id).get(*bar))
                        .collect(),
                ),
                _ => Cells::Numbers(
                    places
                        .iter()
                        .map(|(tape, bar)| self.columns[*tape].number(*id)[*bar])
                        .collect(),
                ),
            };
            table.push((name.clone(), cells));
        }
        table
    }
}

/// Bytes that are gathered before they are written.
const CHUNK: usize = 1 << 16;

/// A cell of CSV, quoted where it needs it.
fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A text of JSON in its quotes.
fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
