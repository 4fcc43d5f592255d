//! The truth of option income: five of Cboe's indices by our engine, against an independent
//! implementation of their rules (`tests/peers/option_indices.py`, standard library alone) and against
//! what the official indices did over the same twenty years.
//!
//! The market file may not be passed on: where it is absent the experiment says so and ends.

use crate::chain_fuzz::Scratch;
use chrono::Datelike;
use papertape::engine::{Run, backtest, read_market};
use papertape::market::date_of;
use papertape::strategy::{Overrides, Strategy};
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn market_file() -> PathBuf {
    root().join("../shared/golden/options/market/spx_vix_rates_1999_2018.csv")
}

/// A session of the market file.
struct Session {
    date: String,
    close: f64,
    rate: f64,
    dividend_yield: f64,
}

/// The tape, the volatility index and the rates as the engine reads them, in a folder of their own.
fn lay_out(folder: &Path) -> Vec<Session> {
    let text = std::fs::read_to_string(market_file()).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let (mut sessions, mut spx, mut vix) = (Vec::new(), String::new(), String::new());
    let (mut rate, mut paid) = (String::new(), String::new());
    spx += "date,open,high,low,close\n";
    vix += "date,close\n";
    rate += "date,rate\n";
    paid += "date,yield\n";
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |name: &str| cells[at(name)].parse::<f64>().unwrap();
        let date = cells[at("date")];
        let close = cells[at("close")];
        writeln!(spx, "{date},{close},{close},{close},{close}").unwrap();
        writeln!(vix, "{date},{}", cells[at("vix_close")]).unwrap();
        // The engine takes what a year pays; the file has it continuously compounded.
        writeln!(rate, "{date},{:?}", 100.0 * number("rate_cc").exp_m1()).unwrap();
        writeln!(paid, "{date},{:?}", 100.0 * number("div_yield")).unwrap();
        sessions.push(Session {
            date: date.to_owned(),
            close: number("close"),
            rate: number("rate_cc"),
            dividend_yield: number("div_yield"),
        });
    }
    for (name, text) in [("SPX", spx), ("VIX", vix), ("rate", rate), ("yield", paid)] {
        std::fs::write(folder.join(format!("{name}.csv")), text).unwrap();
    }
    sessions
}

/// An index of `[options]` tables on the folder's market.
fn index(folder: &Path, structure: &str, legs: &str) -> Run {
    let text = format!(
        "[data]\nsource = \"SPX.csv\"\ndividend_yield = \"yield.csv\"\n\
         [options]\nstructure = \"{structure}\"\nunits = \"index\"\nstrike_step = 5\n\
         pricing = {{ source = \"model\", iv = \"VIX.csv\", surface = \"skew\", rate = \"rate.csv\" }}\n\
         contract = {{ style = \"european\", settlement = \"cash\" }}\n{legs}\
         [options.fill]\nprice = \"mid\"\n\
         [costs]\npreset = \"none\"\n[cash]\nyield = \"rate.csv\"\n"
    );
    let parsed = Strategy::parse(&text, "index", folder, &Overrides::default());
    let strategy = parsed.unwrap_or_else(|e| panic!("{e}\n{text}"));
    let market = read_market(&strategy, false).unwrap();
    backtest(&market, &strategy).unwrap()
}

/// Figures of levels, as `option_indices.py` has them.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    level: f64,
    annual: f64,
    volatility: f64,
    sharpe: f64,
    beta: f64,
    drawdown: f64,
    premium: f64,
}

impl Figures {
    fn columns(&self) -> [f64; 7] {
        let of = self;
        [
            of.level,
            of.annual,
            of.volatility,
            of.sharpe,
            of.beta,
            of.drawdown,
            of.premium,
        ]
    }
}

/// Last places of months, in order.
fn month_ends(sessions: &[Session]) -> Vec<usize> {
    let month = |s: &Session| s.date[..7].to_owned();
    (0..sessions.len())
        .filter(|&i| i + 1 == sessions.len() || month(&sessions[i]) != month(&sessions[i + 1]))
        .collect()
}

/// Returns of months from the first level on.
fn monthly(levels: &[f64], ends: &[usize]) -> Vec<f64> {
    let at: Vec<f64> = [levels[0]]
        .into_iter()
        .chain(ends.iter().map(|&i| levels[i]))
        .collect();
    at.windows(2).map(|w| w[1] / w[0] - 1.0).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let m = mean(values);
    let squares: f64 = values.iter().map(|v| (v - m).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

fn figures(levels: &[f64], market: &[f64], sessions: &[Session], premium: f64) -> Figures {
    let ends = month_ends(sessions);
    let returns = monthly(levels, &ends);
    let rates: Vec<f64> = ends
        .iter()
        .map(|&i| (sessions[i].rate / 12.0).exp() - 1.0)
        .collect();
    let excess = |r: &[f64]| -> Vec<f64> { r.iter().zip(&rates).map(|(r, f)| r - f).collect() };
    let (own, of_market) = (excess(&returns), excess(&monthly(market, &ends)));
    let (m, k) = (mean(&own), mean(&of_market));
    let both: f64 = own
        .iter()
        .zip(&of_market)
        .map(|(a, b)| (a - m) * (b - k))
        .sum();
    let square: f64 = of_market.iter().map(|b| (b - k).powi(2)).sum();
    let (mut level, mut peak, mut drawdown) = (1.0_f64, 1.0_f64, 0.0_f64);
    for r in &returns {
        level *= 1.0 + r;
        peak = peak.max(level);
        drawdown = drawdown.min(level / peak - 1.0);
    }
    let last = levels[levels.len() - 1] / levels[0];
    Figures {
        level: last,
        annual: last.powf(12.0 / returns.len() as f64) - 1.0,
        volatility: deviation(&returns) * 12f64.sqrt(),
        sharpe: m / deviation(&own) * 12f64.sqrt(),
        beta: both / square,
        drawdown,
        premium,
    }
}

/// The index with its dividends.
fn total_return(sessions: &[Session]) -> Vec<f64> {
    let day = |s: &Session| {
        s.date
            .parse::<chrono::NaiveDate>()
            .unwrap()
            .num_days_from_ce()
    };
    let mut levels = vec![1.0];
    for w in sessions.windows(2) {
        let span = f64::from(day(&w[1]) - day(&w[0])) / 365.0;
        let grown = (w[1].close + w[0].close * w[1].dividend_yield * span) / w[0].close;
        levels.push(levels[levels.len() - 1] * grown);
    }
    levels
}

/// Premium over the index of what was written, on average.
fn premium(run: &Run) -> f64 {
    let written = run.options.trades.iter().filter(|t| t.count < 0.0);
    let shares: Vec<f64> = written.map(|t| t.sale.premium / t.sale.spot).collect();
    mean(&shares)
}

/// Rows of the peer by name.
fn peer() -> Vec<(String, Vec<f64>)> {
    let text = std::fs::read_to_string(root().join("tests/peers/option_indices.csv")).unwrap();
    let row = |line: &str| {
        let (name, rest) = line.split_once(',').unwrap();
        let values = rest.split(',').map(|x| x.parse().unwrap()).collect();
        (name.to_owned(), values)
    };
    text.lines().skip(1).map(row).collect()
}

/// The official indices over January 1999 to December 2018: annual return, volatility, Sharpe ratio,
/// beta and drawdown of month-ends, in per cent where they are fractions here.
const OFFICIAL: [(&str, &str, [f64; 5]); 6] = [
    (
        "sptr",
        "S&P 500 with dividends",
        [5.43, 14.54, 0.313, 1.0, -50.9],
    ),
    ("bxm", "BXM, buy-write", [4.87, 10.61, 0.333, 0.64, -35.8]),
    (
        "bxy",
        "BXY, 2% out of the money",
        [5.76, 12.29, 0.371, 0.79, -40.3],
    ),
    ("bxmd", "BXMD, 30 delta", [5.89, 12.69, 0.373, 0.83, -42.7]),
    ("put", "PUT, put-write", [6.27, 10.52, 0.461, 0.61, -32.7]),
    (
        "cll",
        "CLL, 95-110 collar",
        [3.18, 10.13, 0.181, 0.62, -35.5],
    ),
];

const LEGS: [(&str, &str, &str); 5] = [
    (
        "bxm",
        "covered_call",
        "[options.call]\ncycle = \"month\"\nstrike = \"atm_above\"\n",
    ),
    (
        "bxy",
        "covered_call",
        "[options.call]\ncycle = \"month\"\nmoneyness = 0.02\n",
    ),
    (
        "bxmd",
        "covered_call",
        "[options.call]\ncycle = \"month\"\ndelta = 0.30\n",
    ),
    (
        "put",
        "cash_secured_put",
        "collateral = \"discounted_net\"\n[options.put]\ncycle = \"month\"\nstrike = \"atm_below\"\n",
    ),
    (
        "cll",
        "collar",
        "[options.call]\ncycle = \"month\"\nmoneyness = 0.10\n\
         [options.put]\ncycle = \"quarter\"\nmoneyness = 0.05\n",
    ),
];

/// Ours beside the official figures: `cargo test --release --test it -- option_indices --nocapture`.
fn table(rows: &[(&str, Figures)]) -> String {
    let mut text = String::from(
        "| index | return a year | volatility | Sharpe | beta | drawdown | premium a month |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (name, f) in rows {
        let (_, words, of) = OFFICIAL.iter().find(|o| o.0 == *name).unwrap();
        let premium = match *name {
            "sptr" => String::new(),
            _ => format!("{:.2}%", 100.0 * f.premium),
        };
        writeln!(
            text,
            "| {words} | {:.2} ({:.2}) | {:.2} ({:.2}) | {:.3} ({:.3}) | {:.2} ({:.2}) | {:.1} ({:.1}) | {premium} |",
            100.0 * f.annual,
            of[0],
            100.0 * f.volatility,
            of[1],
            f.sharpe,
            of[2],
            f.beta,
            of[3],
            100.0 * f.drawdown,
            of[4],
        )
        .unwrap();
    }
    text
}

#[test]
fn five_indices_equal_another_implementation_and_come_near_the_official_ones() {
    if !market_file().exists() {
        println!("skipped: {} is absent", market_file().display());
        return;
    }
    let scratch = Scratch::new("option-indices");
    let sessions = lay_out(&scratch.0);
    let market = total_return(&sessions);
    let mut rows = vec![("sptr", figures(&market, &market, &sessions, 0.0))];
    let mut misses = Vec::new();
    for (name, structure, legs) in LEGS {
        let run = index(&scratch.0, structure, legs);
        assert_eq!(run.equity.len(), sessions.len());
        assert_eq!(date_of(run.time[0]).to_string(), sessions[0].date);
        let most = run.equity.iter().copied().fold(1.0, f64::max);
        assert!(
            run.books_error <= 1e-9 * most,
            "{name}: {}",
            run.books_error
        );
        rows.push((
            name,
            figures(&run.equity, &market, &sessions, premium(&run)),
        ));
    }
    println!("{}", table(&rows));
    for ((name, ours), (of_peer, theirs)) in rows.iter().zip(peer()) {
        assert_eq!(*name, of_peer);
        for (ours, theirs) in ours.columns().iter().zip(&theirs) {
            if (ours - theirs).abs() > 1e-6 * theirs.abs().max(1e-3) {
                misses.push(format!("{name}: {ours} is not {theirs}"));
            }
        }
    }
    assert!(misses.is_empty(), "{misses:#?}");
    for (name, f) in &rows {
        let (_, _, of) = OFFICIAL.iter().find(|o| o.0 == *name).unwrap();
        assert!((100.0 * f.annual - of[0]).abs() < 1.0, "{name}: {f:?}");
        assert!((100.0 * f.volatility - of[1]).abs() < 0.5, "{name}: {f:?}");
        assert!((f.beta - of[3]).abs() < 0.05, "{name}: {f:?}");
    }
}
