//! The summary of a run in the terminal: 80 columns, no colour needed, numbers to the right.

use crate::metrics::bootstrap::Interval;
use crate::metrics::{Metrics, Unit, all, find};
use crate::portfolio::Stream;
use crate::report::cell;
use crate::report::figure;
use crate::report::judgement;
use crate::report::learning;
use crate::report::profile;
use crate::report::stress;
use crate::report::summary::Summary;
use crate::report::taxes;

/// Width of the page in columns.
const WIDTH: usize = 80;
/// Left margin of everything under a heading.
const MARGIN: usize = 2;
/// Width of the names of rows.
const LABEL: usize = 24;
/// Columns of figures that a table takes; further ones are only named.
pub(crate) const COLUMNS: usize = 5;

/// One row of a table of figures.
enum Row {
    /// A metric under its own label.
    Of(&'static str),
    /// The money-weighted return, of accounts with flows.
    MoneyWeighted,
    /// The 90% interval of the Sharpe ratio.
    SharpeInterval,
    /// That of growth a year, to whole per cent.
    CagrInterval,
    /// That of the deepest drawdown, to whole per cent.
    DrawdownInterval,
}

/// The rows, in groups with a heading.
const GROUPS: [(&str, &[Row]); 2] = [
    (
        "Return and risk",
        &[
            Row::Of("end_equity"),
            Row::Of("total_return"),
            Row::Of("cagr"),
            Row::CagrInterval,
            Row::MoneyWeighted,
            Row::Of("after_tax_cagr"),
            Row::Of("excess_over_cash"),
            Row::Of("volatility"),
            Row::Of("max_drawdown"),
            Row::DrawdownInterval,
            Row::Of("max_drawdown_days"),
            Row::Of("worst_month"),
            Row::Of("sharpe"),
            Row::SharpeInterval,
            Row::Of("psr"),
            Row::Of("sortino"),
            Row::Of("calmar"),
            Row::Of("beta"),
            Row::Of("alpha"),
        ],
    ),
    (
        "Trading",
        &[
            Row::Of("exposure"),
            Row::Of("turnover"),
            Row::Of("trades"),
            Row::Of("win_rate"),
            Row::Of("profit_factor"),
            Row::Of("avg_trade"),
            Row::Of("avg_win"),
            Row::Of("avg_loss"),
            Row::Of("best_trade"),
            Row::Of("worst_trade"),
            Row::Of("avg_bars_held"),
        ],
    ),
];

/// The whole summary. `written` is the folder and the names of what was written there.
pub fn summary(summary: &Summary, written: Option<(&str, &[String])>) -> String {
    let mut page = Page::default();
    head(&mut page, summary);
    // The name stands at the top; a column that has no room for it says what it is.
    let fits = width(&summary.name) < column_width(1 + summary.benchmarks.len());
    let name = if fits {
        summary.name.as_str()
    } else {
        "strategy"
    };
    let mut columns = vec![(name, &summary.metrics)];
    let benchmarks = summary.benchmarks.iter();
    columns.extend(benchmarks.map(|one| (one.name.as_str(), &one.metrics)));
    figures(&mut page, &columns);
    if let Some(profiled) = &summary.profiled {
        page.text
            .push_str(&profile::text(profiled, &summary.metrics));
    }
    luck(&mut page, summary);
    each(&mut page, summary);
    layers(&mut page, summary);
    income(&mut page, summary);
    options(&mut page, summary);
    if let Some(tax) = &summary.tax {
        page.text.push_str(&taxes::page(tax));
    }
    orders(&mut page, summary);
    ambiguity(&mut page, summary);
    learned(&mut page, summary);
    under_stress(&mut page, summary);
    caveats(&mut page, summary);
    files(&mut page, written);
    page.text
}

/// Text that grows line by line.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.line("");
        self.line(heading);
    }

    /// Words wrapped to the page's width, the first line after `first`, the others under it.
    fn wrapped(&mut self, first: &str, words: &str) {
        let indent = width(first);
        let mut line = first.to_string();
        let mut is_empty = true;
        for word in words.split_whitespace() {
            if !is_empty && width(&line) + 1 + width(word) > WIDTH {
                self.line(&line);
                line = " ".repeat(indent);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.line(&line);
    }
}

/// Columns that a text takes in a terminal, a character each.
fn width(text: &str) -> usize {
    text.chars().count()
}

pub(crate) fn left(text: &str, columns: usize) -> String {
    let mut cell = shortened(text, columns);
    cell.push_str(&" ".repeat(columns - width(&cell)));
    cell
}

pub(crate) fn right(text: &str, columns: usize) -> String {
    let cell = shortened(text, columns);
    " ".repeat(columns - width(&cell)) + &cell
}

/// A text cut to `columns`, with an ellipsis where something is missing.
fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    kept + "…"
}

fn head(page: &mut Page, summary: &Summary) {
    page.line(&summary.name);
    if !summary.about.is_empty() {
        page.wrapped("", &summary.about);
    }
    page.line("");
    let period = &summary.period;
    let warmup = match period.warmup_bars {
        0 => "none".to_string(),
        bars => figure::grouped(bars as f64, 0),
    };
    let days = format!(
        "{}, {} ({} a year), {warmup} before it for warm-up",
        period.words(),
        figure::plural(period.bars, "bar", "bars"),
        figure::grouped(period.periods_a_year, 0),
    );
    answer(page, "Period", &days);
    answer(page, "Symbols", &symbols(&summary.symbols));
    for (question, words) in &summary.conventions {
        answer(page, question, words);
    }
}

/// How many trials this one was chosen from, and what that leaves of its Sharpe ratio.
fn luck(page: &mut Page, summary: &Summary) {
    if let Some(words) = summary.among.as_ref().and_then(judgement::among_trials) {
        page.heading("Is it luck?");
        page.wrapped(&" ".repeat(MARGIN), &words);
    }
}

fn answer(page: &mut Page, question: &str, words: &str) {
    page.wrapped(
        &format!("{}{}", " ".repeat(MARGIN), left(question, 10)),
        words,
    );
}

fn symbols(symbols: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut words = symbols[..symbols.len().min(SHOWN)].join(", ");
    if symbols.len() > SHOWN {
        words.push_str(&format!(" and {} more", symbols.len() - SHOWN));
    }
    words
}

/// Names side by side, a row a metric.
pub(crate) fn figures_text(columns: &[(&str, &Metrics)]) -> String {
    let mut page = Page::default();
    figures(&mut page, columns);
    page.text
}

/// Words wrapped to the page's width, with `first` before them and its width under it.
pub(crate) fn paragraph(first: &str, words: &str) -> String {
    let mut page = Page::default();
    page.wrapped(first, words);
    page.text
}

/// Names side by side, a row a metric. Rows that no column has are left out.
/// Width of a column of figures when there are so many.
fn column_width(columns: usize) -> usize {
    ((WIDTH - MARGIN - LABEL) / columns.clamp(1, COLUMNS)).clamp(10, 18)
}

fn figures(page: &mut Page, columns: &[(&str, &Metrics)]) {
    let shown = &columns[..columns.len().min(COLUMNS)];
    let column = column_width(shown.len());
    for (heading, rows) in GROUPS {
        let mut header = left(heading, MARGIN + LABEL);
        for (name, _) in shown {
            // One space at least between names.
            header.push_str(&right(&shortened(name, column - 1), column));
        }
        page.line("");
        page.line(&header);
        for row in rows {
            let cells: Vec<String> = shown.iter().map(|(_, m)| row.cell(m)).collect();
            if cells.iter().all(|cell| cell == figure::ABSENT) && !row.is_essential() {
                continue;
            }
            let mut line = " ".repeat(MARGIN) + &left(row.label(), LABEL);
            for cell in &cells {
                line.push_str(&right(cell, column));
            }
            page.line(&line);
        }
    }
    reasons(page, shown);
    if columns.len() > shown.len() {
        let names: Vec<&str> = columns[shown.len()..].iter().map(|(n, _)| *n).collect();
        page.wrapped("  ", &format!("Not shown here: {}.", names.join(", ")));
    }
}

impl Row {
    fn label(&self) -> &'static str {
        match self {
            Row::Of(key) => find(key).map_or(*key, |metric| metric.label),
            Row::MoneyWeighted => "  money-weighted",
            Row::SharpeInterval | Row::CagrInterval | Row::DrawdownInterval => "  90% interval",
        }
    }

    fn cell(&self, metrics: &Metrics) -> String {
        match self {
            Row::Of(key) => figure::of_key(metrics, key),
            Row::MoneyWeighted if metrics.has_flows() => figure::of_key(metrics, "mwr"),
            Row::MoneyWeighted => figure::ABSENT.to_string(),
            Row::SharpeInterval => match (metrics.get("sharpe_low"), metrics.get("sharpe_high")) {
                (Some(low), Some(high)) => {
                    let bound = |x| figure::of_unit(x, Unit::Ratio);
                    format!("{}..{}", bound(low), bound(high))
                }
                _ => figure::ABSENT.to_string(),
            },
            Row::CagrInterval => interval(metrics.growth.map(|growth| growth.cagr)),
            Row::DrawdownInterval => interval(metrics.growth.map(|growth| growth.max_drawdown)),
        }
    }

    /// Shown even when no column has it, with the reason.
    fn is_essential(&self) -> bool {
        matches!(self, Row::Of("sharpe" | "cagr" | "win_rate"))
    }
}

/// An interval of fractions to whole per cent: its ends are known no better.
fn interval(found: Option<Interval>) -> String {
    let whole = |x: f64| format!("{}%", figure::grouped(x * 100.0, 0));
    found.map_or_else(
        || figure::ABSENT.to_string(),
        |found| format!("{}..{}", whole(found.low), whole(found.high)),
    )
}

/// Why figures are absent: for the first column a line a reason with the figures it holds for, for
/// the others their further reasons in one line.
fn reasons(page: &mut Page, columns: &[(&str, &Metrics)]) {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    // A run without taxes, as every benchmark is, has nothing to explain.
    let is_asked = |row: &&Row| !matches!(row, Row::Of("after_tax_cagr"));
    let rows = || {
        let rows = GROUPS.iter().flat_map(|(_, rows)| rows.iter());
        rows.filter(is_asked)
    };
    let Some(((_, own), others)) = columns.split_first() else {
        return;
    };
    for row in rows() {
        let Row::Of(key) = row else { continue };
        let Some(reason) = own.reason(key) else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, labels)) => labels.push(row.label()),
            None => reasons.push((reason.to_string(), vec![row.label()])),
        }
    }
    let first = format!("  {} ", figure::ABSENT);
    let mut further: Vec<&str> = Vec::new();
    for (_, metrics) in others {
        for row in rows() {
            let Row::Of(key) = row else { continue };
            let Some(reason) = metrics.reason(key) else {
                continue;
            };
            if !further.contains(&reason) && reasons.iter().all(|(known, _)| known != reason) {
                further.push(reason);
            }
        }
    }
    for (reason, labels) in &reasons {
        page.wrapped(&first, &format!("{}: {reason}", labels.join(", ")));
    }
    if !further.is_empty() {
        page.wrapped(&first, &format!("elsewhere: {}", further.join("; ")));
    }
}

/// The figures that decide, for tables of a row a name: key and heading.
const DECISIVE: [(&str, &str); 5] = [
    ("total_return", "return"),
    ("cagr", "a year"),
    ("sharpe", "Sharpe"),
    ("max_drawdown", "drawdown"),
    ("trades", "trades"),
];

/// A row a name with the figures that decide.
fn rows<'a>(page: &mut Page, heading: &str, all: impl Iterator<Item = (&'a str, &'a Metrics)>) {
    const NAME: usize = 28;
    const COLUMN: usize = 10;
    let mut header = left(heading, MARGIN + NAME);
    for (_, heading) in DECISIVE {
        header.push_str(&right(heading, COLUMN));
    }
    page.line(&header);
    for (name, metrics) in all {
        let mut line = " ".repeat(MARGIN) + &left(&shortened(name, NAME - 1), NAME);
        for (key, _) in DECISIVE {
            line.push_str(&right(&figure::of_key(metrics, key), COLUMN));
        }
        page.line(&line);
    }
}

/// A line a layer: its own returns, and what its income adds up to.
fn layers(page: &mut Page, summary: &Summary) {
    if summary.layers.is_empty() {
        return;
    }
    page.line("");
    let all = summary.layers.iter();
    let all = all.map(|one| (one.name.as_str(), &one.metrics));
    rows(page, "Each layer, transfers as its flows", all);
    page.heading("Change of equity by layer");
    for (name, income) in &summary.income_by_layer {
        let flows = income.iter().filter(|(stream, _)| *stream == Stream::Flows);
        let flows: f64 = flows.map(|(_, amount)| amount).sum();
        let sum: f64 = income.iter().map(|(_, amount)| amount).sum();
        let line = format!(
            "  {}{}   of that {} deposits and transfers",
            left(name, 30),
            right(&figure::grouped(sum, 2), 20),
            figure::money(flows)
        );
        page.line(&line);
    }
}

/// What options earned, what that cost, and what was done with them.
fn options(page: &mut Page, summary: &Summary) {
    let Some(options) = &summary.options else {
        return;
    };
    page.heading("Options");
    for (question, words) in &options.answers {
        answer(page, question, words);
    }
    for (title, rows) in &options.tables {
        page.heading(title);
        let columns = rows.first().map_or(0, Vec::len);
        let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max();
        let widths: Vec<usize> = (0..columns).map(|c| widest(c).unwrap_or(0)).collect();
        for row in rows {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells.map(|(cell, wide)| right(cell, *wide)).collect();
            page.line(&format!("{}{}", " ".repeat(MARGIN), cells.join("   ")));
        }
    }
}

/// With an account a symbol: one line each.
fn each(page: &mut Page, summary: &Summary) {
    if !summary.each.is_empty() {
        page.line("");
        let all = summary.each.iter();
        let all = all.map(|own| (own.name.as_str(), &own.metrics));
        rows(page, "Each symbol's account", all);
    }
}

/// What a stream is called on the page.
pub fn stream_label(stream: Stream) -> &'static str {
    match stream {
        Stream::Realized => "price gain, realised",
        Stream::Unrealized => "price gain, not yet realised",
        Stream::Dividends => "dividends",
        Stream::Interest => "interest on cash",
        Stream::MarginInterest => "interest on borrowed cash",
        Stream::Borrow => "borrow fees of shorts",
        Stream::Fees => "commissions",
        Stream::Slippage => "slippage and spread",
        Stream::Tax => "taxes",
        Stream::Flows => "deposits less withdrawals",
        Stream::Premium => "option premium, gross",
        Stream::BoughtBack => "options bought back",
        Stream::GivenUp => "given up at assignment",
        Stream::Protection => "options held",
        Stream::OptionValue => "value of open options",
    }
}

fn income(page: &mut Page, summary: &Summary) {
    const NAME: usize = 30;
    const AMOUNT: usize = 20;
    page.heading("Where the money came from");
    let mut row = |name: &str, amount: &str, note: &str| {
        let line = format!("  {}{}  {note}", left(name, NAME), right(amount, AMOUNT));
        page.line(&line);
    };
    for (stream, amount) in &summary.income {
        row(stream_label(*stream), &figure::grouped(*amount, 2), "");
    }
    let from_to = format!(
        "{} to {}",
        figure::money(summary.start_equity),
        figure::money(summary.end_equity)
    );
    if !summary.income.is_empty() {
        row("", &"-".repeat(AMOUNT - 4), "");
    }
    let change = figure::grouped(summary.change_of_equity(), 2);
    row("change of equity", &change, &from_to);
    if let Some(savings) = &summary.savings {
        let excess = figure::grouped(savings.excess, 2);
        row(&savings.label(), &excess, "");
    }
}

fn orders(page: &mut Page, summary: &Summary) {
    let counts = summary.orders_by_outcome();
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    page.heading(&format!(
        "Orders: {}",
        figure::plural(all, "decided", "decided")
    ));
    for (outcome, count) in counts {
        let of_outcome = summary.orders.iter().filter(|o| o.outcome == outcome);
        let reasons: Vec<String> = of_outcome
            .map(|o| format!("{} {}", o.reason.name().replace('_', " "), o.count))
            .collect();
        let count = figure::grouped(count as f64, 0);
        let name = outcome.name().replace('_', " ");
        let first = format!("  {}{}   ", left(&name, 14), right(&count, 8));
        page.wrapped(&first, &reasons.join(", "));
    }
}

fn ambiguity(page: &mut Page, summary: &Summary) {
    let Some(band) = summary.ambiguous else {
        return;
    };
    page.heading("When one bar reached both stop and target");
    let trades = figure::plural(band.trades as usize, "trade", "trades");
    page.wrapped(
        "  ",
        &format!(
            "{trades}: equity at the end is {} if the stop came first, {} if the extreme nearer \
             to the open did, {} if the target did.",
            figure::money(band.worst),
            figure::money(band.path),
            figure::money(band.best)
        ),
    );
}

/// What the model learned, and the three equities that say whether it was worth it.
fn learned(page: &mut Page, summary: &Summary) {
    let Some(learning) = &summary.learning else {
        return;
    };
    page.heading("What the model learned");
    for (question, words) in learning::in_words(learning) {
        page.wrapped(&format!("  {}", left(question, 15)), &words);
    }
    page.line("");
    page.line(&format!(
        "  {}{}{}",
        left("Feature", 40),
        right(learning::weight_name(learning), 18),
        right("same sign", 14)
    ));
    for row in learning::features(learning) {
        let name = shortened(row.name, 39);
        let line = format!(
            "  {}{}{}",
            left(&name, 40),
            right(&row.weight, 18),
            right(&row.same_sign, 14)
        );
        page.line(&line);
    }
    page.line("");
    for (name, equity, note) in learning::equities(learning) {
        let name = shortened(&name, 39);
        let money = figure::money(equity);
        page.line(&format!(
            "  {}{}  {note}",
            left(&name, 40),
            right(&money, 18)
        ));
    }
}

/// The worst of the assumptions that flatter the strategy; `stress` prints all of them.
fn under_stress(page: &mut Page, summary: &Summary) {
    let Some(headline) = stress::headline(&summary.stress) else {
        return;
    };
    page.heading("Under stress");
    let shares = stress::shares(&summary.stress);
    page.wrapped("  ", &format!("{headline} {shares}"));
}

fn caveats(page: &mut Page, summary: &Summary) {
    if summary.caveats.is_empty() {
        return;
    }
    page.heading("Before you believe it");
    for caveat in &summary.caveats {
        page.wrapped("  ! ", &caveat.text);
    }
}

fn files(page: &mut Page, written: Option<(&str, &[String])>) {
    if let Some((folder, names)) = written {
        page.heading(&format!("Written to {folder}"));
        page.wrapped("  ", &names.join(" "));
    }
}

/// One row a strategy with the figures that decide, and where its run was written.
pub fn several(all: &[(String, Metrics, String)]) -> String {
    let mut page = Page::default();
    let named = all
        .iter()
        .map(|(name, metrics, _)| (name.as_str(), metrics));
    rows(&mut page, "", named);
    page.heading("Written to");
    for (.., folder) in all {
        page.line(&format!("  {folder}"));
    }
    page.text
}

/// Header of the CSV that `run --format csv` prints: the name and every metric.
pub fn csv_header() -> String {
    let keys: Vec<&str> = all().map(|row| row.key).collect();
    format!("name,{}\n", keys.join(","))
}

/// One row of that CSV; an absent figure is an empty cell.
pub fn csv_line(name: &str, metrics: &Metrics) -> String {
    let cells = all().map(|row| metrics.get(row.key).map_or(String::new(), cell::number));
    format!("{},{}\n", quoted(name), cells.collect::<Vec<_>>().join(","))
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_string()
    }
}

/// What `--bare` prints: the name, then a figure a line.
pub fn bare(name: &str, metrics: &Metrics) -> String {
    let mut page = Page::default();
    page.line(name);
    for (key, _) in &metrics.values {
        let label = find(key).map_or(*key, |metric| metric.label);
        let figure = figure::of_key(metrics, key);
        page.line(&format!("  {}{}", left(label, LABEL), right(&figure, 12)));
    }
    page.text
}

/// The same as CSV, a row a figure, under the header `name,metric,value`.
pub fn bare_csv(name: &str, metrics: &Metrics) -> String {
    let cell = |key: &str| metrics.get(key).map_or(String::new(), cell::number);
    let rows = metrics.values.iter();
    rows.map(|(key, _)| format!("{},{key},{}\n", quoted(name), cell(key)))
        .collect()
}
