//! `price`: what one option is worth, its greeks, the volatility of a price; or a file of options.
//!
//! The formulas are the library's. A file is answered row by row: a row without an answer has
//! empty values and says why.

use crate::cli::{Context, Exit, Format};
use papertape::error::{Error, Problem, Result};
use papertape::instrument::{Right, Style};
use papertape::pricing::{
    self, CashDividend, DAYS_A_YEAR, Inputs, Unpriced, Valuation, implied_volatility,
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Rates, yields and volatilities are fractions a year, the first two continuously compounded; values are per unit of the underlying.\n\
    Example: papertape price call --spot 100 --strike 105 --days 30 --vol 0.2"
)]
pub(crate) struct Args {
    /// `call` or `put`
    #[arg(required_unless_present = "from", value_name = "call|put", value_parser = right)]
    right: Option<Right>,
    /// Price of the underlying
    #[arg(
        long,
        required_unless_present = "from",
        allow_negative_numbers = true,
        value_name = "PRICE"
    )]
    spot: Option<f64>,
    /// Strike
    #[arg(
        long,
        required_unless_present = "from",
        allow_negative_numbers = true,
        value_name = "PRICE"
    )]
    strike: Option<f64>,
    /// Calendar days to expiry; a year has 365
    #[arg(long, required_unless_present_any = ["from", "years"], conflicts_with = "years", allow_negative_numbers = true, value_name = "N")]
    days: Option<f64>,
    /// Years to expiry
    #[arg(long, allow_negative_numbers = true, value_name = "T")]
    years: Option<f64>,
    /// Volatility, for example 0.2 for 20% a year
    #[arg(long, required_unless_present_any = ["from", "price"], conflicts_with = "price", allow_negative_numbers = true, value_name = "SIGMA")]
    vol: Option<f64>,
    /// A price, to get the volatility that it implies
    #[arg(long, allow_negative_numbers = true, value_name = "PRICE")]
    price: Option<f64>,
    /// Risk-free rate
    #[arg(
        long,
        default_value_t = 0.0,
        allow_negative_numbers = true,
        value_name = "R"
    )]
    rate: f64,
    /// Dividend yield
    #[arg(
        long,
        alias = "yield",
        default_value_t = 0.0,
        allow_negative_numbers = true,
        value_name = "Q"
    )]
    dividend_yield: f64,
    /// A cash dividend: in how many days the stock trades without it, and how much; may be repeated
    #[arg(long, value_name = "DAYS:AMOUNT", value_parser = dividend, allow_negative_numbers = true)]
    dividend: Vec<CashDividend>,
    /// When it may be exercised
    #[arg(long, default_value = "european", value_name = "european|american", value_parser = style)]
    style: Style,
    /// CSV of options with the columns type,style,s,k,t,r,q,sigma, or price instead of sigma for
    /// implied volatilities; days may stand for t, and without style, r or q they are european, 0, 0
    #[arg(long, value_name = "FILE", conflicts_with_all = ["right", "spot", "strike", "days", "years", "vol", "price", "rate", "dividend_yield", "dividend", "style"])]
    from: Option<PathBuf>,
}

fn right(text: &str) -> std::result::Result<Right, String> {
    Right::parse(text).ok_or_else(|| "expected call or put".to_owned())
}

fn style(text: &str) -> std::result::Result<Style, String> {
    Style::parse(text).ok_or_else(|| "expected european or american".to_owned())
}

fn dividend(text: &str) -> std::result::Result<CashDividend, String> {
    let numbers = text.split_once(':').and_then(|(days, amount)| {
        Some((
            days.trim().parse::<f64>().ok()?,
            amount.trim().parse().ok()?,
        ))
    });
    numbers
        .map(|(days, amount)| CashDividend {
            years: days / DAYS_A_YEAR,
            amount,
        })
        .ok_or_else(|| "expected days and an amount, for example 20:0.5".to_owned())
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    match &args.from {
        Some(file) => {
            let table = Table::read(file)?;
            io.print(table.text(io.format));
        }
        None => {
            let answer = One::of(&args)?;
            match io.format {
                Format::Table => io.print(answer.text()),
                Format::Json => io.print(format_args!("{}\n", answer.json())),
                Format::Csv => io.print(answer.csv()),
            }
        }
    }
    Ok(Exit::Done)
}

/// One option and what it is worth.
struct One {
    style: Style,
    inputs: Inputs,
    dividends: Vec<CashDividend>,
    volatility: f64,
    is_implied: bool,
    value: Valuation,
}

impl One {
    fn of(args: &Args) -> Result<One> {
        let years = args.days.map(|days| days / DAYS_A_YEAR).or(args.years);
        let (Some(right), Some(spot), Some(strike), Some(years)) =
            (args.right, args.spot, args.strike, years)
        else {
            return Err(Error::msg(
                "an option needs its right, spot, strike and days",
            ));
        };
        let inputs = Inputs {
            right,
            spot,
            strike,
            years,
            rate: args.rate,
            dividend_yield: args.dividend_yield,
        };
        let dividends = args.dividend.clone();
        let implied = |price| {
            implied_volatility(args.style, &inputs, price, &dividends)
                .map_err(|why| no_volatility(args.style, &inputs, price, &dividends, why))
        };
        let volatility = match (args.price, args.vol) {
            (Some(price), _) => implied(price)?,
            (None, Some(vol)) => vol,
            (None, None) => return Err(Error::msg("an option needs a volatility or a price")),
        };
        let value = pricing::value(args.style, &inputs, volatility, &dividends)
            .map_err(|why| Error::msg(why.to_string()))?;
        Ok(One {
            style: args.style,
            inputs,
            dividends,
            volatility,
            is_implied: args.price.is_some(),
            value,
        })
    }

    fn text(&self) -> String {
        let i = &self.inputs;
        let v = &self.value;
        let mut text = format!(
            "{} {}, strike {}, {} days to expiry, spot {}\n",
            self.style.name(),
            i.right.name(),
            i.strike,
            short(i.years * DAYS_A_YEAR),
            i.spot
        );
        let percent = |x: f64| format!("{}%", short(100.0 * x));
        text.push_str(&format!(
            "rate {}, dividend yield {}",
            percent(i.rate),
            percent(i.dividend_yield)
        ));
        for d in &self.dividends {
            let days = short(d.years * DAYS_A_YEAR);
            text.push_str(&format!(", dividend {} in {days} days", d.amount));
        }
        text.push_str("\n\n");
        let name = if self.is_implied {
            "implied volatility"
        } else {
            "volatility"
        };
        let shown = percent(self.volatility);
        for (name, value, note) in [
            (name, shown, "a year".to_owned()),
            ("value", short(v.price), String::new()),
            ("delta", short(v.delta), "per 1 of spot".to_owned()),
            ("gamma", short(v.gamma), "of delta per 1 of spot".to_owned()),
            (
                "vega",
                short(v.vega / 100.0),
                "per point of volatility (20% to 21%)".to_owned(),
            ),
            (
                "theta",
                short(v.theta / DAYS_A_YEAR),
                "a calendar day".to_owned(),
            ),
            (
                "rho",
                short(v.rho / 100.0),
                "per point of the rate".to_owned(),
            ),
            (
                "epsilon",
                short(v.epsilon / 100.0),
                "per point of the dividend yield".to_owned(),
            ),
        ] {
            let line = format!("  {name:<18}  {value:>12}  {note}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The names of the results and their values, greeks as raw derivatives.
    fn results(&self) -> Vec<(&'static str, f64)> {
        let named = |name| (name, self.volatility);
        let volatility = if self.is_implied { "iv" } else { "sigma" };
        let mut all = vec![named(volatility)];
        all.extend(fields(&self.value));
        all
    }

    fn json(&self) -> Value {
        let i = &self.inputs;
        let dividends: Vec<Value> = self
            .dividends
            .iter()
            .map(|d| json!({"t": d.years, "amount": d.amount}))
            .collect();
        let mut object = json!({
            "schema": 1, "type": i.right.name(), "style": self.style.name(), "s": i.spot,
            "k": i.strike, "t": i.years, "r": i.rate, "q": i.dividend_yield,
        });
        if let Some(map) = object.as_object_mut() {
            if !dividends.is_empty() {
                map.insert("dividends".to_owned(), Value::Array(dividends));
            }
            for (name, value) in self.results() {
                map.insert(name.to_owned(), json!(value));
            }
            map.insert("status".to_owned(), json!("ok"));
        }
        object
    }

    fn csv(&self) -> String {
        let i = &self.inputs;
        let mut header = vec!["type", "style", "s", "k", "t", "r", "q"];
        let mut cells = vec![i.right.name().to_owned(), self.style.name().to_owned()];
        let numbers = [i.spot, i.strike, i.years, i.rate, i.dividend_yield];
        cells.extend(numbers.map(|n| n.to_string()));
        for (name, value) in self.results() {
            header.push(name);
            cells.push(value.to_string());
        }
        header.push("status");
        cells.push("ok".to_owned());
        format!("{}\n{}\n", header.join(","), cells.join(","))
    }
}

/// The price and the greeks by name.
fn fields(value: &Valuation) -> [(&'static str, f64); 7] {
    // Adding 0 turns -0 into 0.
    [
        ("price", value.price + 0.0),
        ("delta", value.delta + 0.0),
        ("gamma", value.gamma + 0.0),
        ("vega", value.vega + 0.0),
        ("theta", value.theta + 0.0),
        ("rho", value.rho + 0.0),
        ("epsilon", value.epsilon + 0.0),
    ]
}

/// Up to six decimals, for people.
fn short(value: f64) -> String {
    let text = format!("{:.6}", value + 0.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" | "" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// Why a price implies no volatility, with the bound that it broke.
fn no_volatility(
    style: Style,
    inputs: &Inputs,
    price: f64,
    dividends: &[CashDividend],
    why: Unpriced,
) -> Error {
    let problem = Problem::new(format!("no volatility gives the price {price}: {why}"));
    let help = match why {
        Unpriced::BelowIntrinsic => pricing::price(style, inputs, 0.0, dividends)
            .map(|least| format!("give a price above {}", short(least)))
            .ok(),
        Unpriced::AboveMax => Some("give a price below that of the underlying (calls) or the strike (puts), discounted to today".to_owned()),
        Unpriced::Invalid(_) => None,
    };
    Error::new(match help {
        Some(help) => problem.help(help),
        None => problem,
    })
}

/// The columns of the input that are echoed, besides `sigma` or `price`.
const ECHOED: [&str; 7] = ["type", "style", "s", "k", "t", "r", "q"];
/// What a row of options gets.
const PRICED: [&str; 7] = ["price", "delta", "gamma", "vega", "theta", "rho", "epsilon"];

/// A file of options and the answers.
struct Table {
    /// `sigma` or `price`: what the last cell of the input is.
    given: &'static str,
    rows: Vec<Answer>,
}

/// One row: the input cells, the answer, and how it went.
struct Answer {
    cells: [String; 8],
    /// As many as the answer has columns, or none.
    values: Vec<f64>,
    status: &'static str,
}

/// Where the columns of the input stand.
struct Columns {
    at: [Option<usize>; 8],
    /// The times are days.
    in_days: bool,
    given: &'static str,
}

impl Columns {
    fn of(header: &csv::StringRecord, file: &str) -> Result<Columns> {
        let find = |name: &str| {
            header
                .iter()
                .position(|h| h.trim().eq_ignore_ascii_case(name))
        };
        let (time, in_days) = match (find("t"), find("days")) {
            (None, Some(days)) => (Some(days), true),
            (time, _) => (time, false),
        };
        let given = if find("sigma").is_some() {
            "sigma"
        } else {
            "price"
        };
        let at = [
            find("type"),
            find("style"),
            find("s"),
            find("k"),
            time,
            find("r"),
            find("q"),
            find(given),
        ];
        let needed = [
            (0, "type"),
            (2, "s"),
            (3, "k"),
            (4, "t"),
            (7, "sigma or price"),
        ];
        let missing: Vec<Problem> = needed
            .iter()
            .filter(|(i, _)| at[*i].is_none())
            .map(|(_, name)| {
                Problem::new(format!("there is no column {name}"))
                    .in_file(file)
                    .at_line(1)
                    .help("expected type,style,s,k,t,r,q and sigma, or price for implied volatilities")
            })
            .collect();
        if missing.is_empty() {
            Ok(Columns { at, in_days, given })
        } else {
            Err(Error::all(missing))
        }
    }

    fn answer(&self, row: &csv::StringRecord) -> Answer {
        let cells = self.at.map(|at| {
            let cell = at.and_then(|at| row.get(at)).unwrap_or_default();
            cell.trim().to_owned()
        });
        let found = self.priced(&cells);
        Answer {
            cells,
            status: found.as_ref().map_or_else(|why| why.name(), |_| "ok"),
            values: found.unwrap_or_default(),
        }
    }

    fn priced(&self, cells: &[String; 8]) -> std::result::Result<Vec<f64>, Unpriced> {
        let number = |i: usize, absent: f64| match self.at[i] {
            Some(_) => cells[i]
                .parse()
                .map_err(|_| Unpriced::Invalid("a cell that is no number")),
            None => Ok(absent),
        };
        let style = match self.at[1] {
            Some(_) => Style::parse(&cells[1]),
            None => Some(Style::European),
        };
        let time = number(4, f64::NAN)?;
        let inputs = Inputs {
            right: Right::parse(&cells[0]).ok_or(Unpriced::Invalid("neither call nor put"))?,
            spot: number(2, f64::NAN)?,
            strike: number(3, f64::NAN)?,
            years: if self.in_days {
                time / DAYS_A_YEAR
            } else {
                time
            },
            rate: number(5, 0.0)?,
            dividend_yield: number(6, 0.0)?,
        };
        let style = style.ok_or(Unpriced::Invalid("neither european nor american"))?;
        let given = number(7, f64::NAN)?;
        if self.given == "price" {
            return Ok(vec![implied_volatility(style, &inputs, given, &[])?]);
        }
        let value = pricing::value(style, &inputs, given, &[])?;
        Ok(fields(&value).map(|(_, value)| value).to_vec())
    }
}

impl Table {
    fn read(path: &Path) -> Result<Table> {
        let file = path.display().to_string();
        let cannot = |cause: csv::Error| {
            let line = cause.position().map(csv::Position::line);
            let problem = Problem::new(format!("cannot be read: {cause}")).in_file(&file);
            Error::new(match line {
                Some(line) => problem.at_line(line),
                None => problem,
            })
        };
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_path(path)
            .map_err(cannot)?;
        let mut header = reader.headers().map_err(cannot)?.clone();
        if let Some(first) = header.get(0).and_then(|h| h.strip_prefix('\u{feff}')) {
            let first = [first].into_iter().chain(header.iter().skip(1));
            header = first.collect();
        }
        let columns = Columns::of(&header, &file)?;
        let mut rows = Vec::new();
        for row in reader.records() {
            rows.push(columns.answer(&row.map_err(cannot)?));
        }
        Ok(Table {
            given: columns.given,
            rows,
        })
    }

    /// The names of the answer's columns.
    fn answered(&self) -> &'static [&'static str] {
        if self.given == "price" {
            &["iv"]
        } else {
            &PRICED
        }
    }

    fn text(&self, format: Format) -> String {
        let mut header: Vec<&str> = ECHOED.to_vec();
        header.push(self.given);
        header.extend(self.answered());
        header.push("status");
        match format {
            Format::Json => {
                let rows: Vec<Value> = self.rows.iter().map(|row| self.object(row)).collect();
                json!({"schema": 1, "rows": rows}).to_string() + "\n"
            }
            Format::Csv => {
                let mut text = header.join(",") + "\n";
                for row in &self.rows {
                    let cells = self.cells(row, |value| value.to_string());
                    let quoted: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
                    text.push_str(&quoted.join(","));
                    text.push('\n');
                }
                text
            }
            Format::Table => {
                let header = header.iter().map(|name| (*name).to_owned()).collect();
                let rows = self.rows.iter().map(|row| self.cells(row, short));
                aligned(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
            }
        }
    }

    fn cells(&self, row: &Answer, show: impl Fn(f64) -> String) -> Vec<String> {
        let mut cells = row.cells.to_vec();
        for i in 0..self.answered().len() {
            cells.push(row.values.get(i).map(|v| show(*v)).unwrap_or_default());
        }
        cells.push(row.status.to_owned());
        cells
    }

    fn object(&self, row: &Answer) -> Value {
        let mut map = Map::new();
        let names = ECHOED.iter().chain([&self.given]);
        for (name, cell) in names.zip(&row.cells) {
            // What can't be a JSON number is shown as it was written.
            let number = cell.parse::<f64>().ok().filter(|n| n.is_finite());
            let value = match (number, cell.as_str()) {
                (Some(number), _) => json!(number),
                (None, "") => Value::Null,
                (None, text) => json!(text),
            };
            map.insert((*name).to_owned(), value);
        }
        for (i, name) in self.answered().iter().enumerate() {
            map.insert((*name).to_owned(), json!(row.values.get(i)));
        }
        map.insert("status".to_owned(), json!(row.status));
        Value::Object(map)
    }
}

/// A cell of CSV, quoted where it must be.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// Rows under each other, each column as wide as its widest cell.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, wide)| format!("{cell:>wide$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
