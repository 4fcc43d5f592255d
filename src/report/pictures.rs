//! From a run and its summary to what the charts draw: columns and words put in their places. How
//! they are drawn is left to `chart`, every number comes from elsewhere.

use crate::engine::Run;
use crate::error::Result;
use crate::market::{Market, seen_splits};
use crate::metrics::Metrics;
use crate::portfolio::{PositionSide, Stream, Trade, TradeStatus};
use crate::report::chart::{
    self, Amount, Area, Figure, IncomeChart, MonthReturn, NamedLine, Part, Role, Series, StopLevel,
    StressBox, StressRow, SubPanel, SymbolPanel, TearSheet, TradeMark, TradesChart,
};
use crate::report::figure;
use crate::report::judgement;
use crate::report::learning;
use crate::report::options;
use crate::report::stress;
use crate::report::summary::Summary;
use crate::report::text::stream_label;
use crate::study::{
    Allocated, DrawnSeries, Holder, Judged, Learning, Stress, StressLine, StressResult,
};
use crate::units::Micros;
use std::collections::BTreeMap;
use std::ops::Range;

/// Curves of the equity chart beside the strategy's.
const BENCHMARKS_MAX: usize = 4;
/// Price lines are logarithmic when the highest is this many times the lowest.
const LOG_RATIO: f64 = 4.0;
/// Income is shown by year from this many months on.
const MONTHS_MAX: usize = 36;

/// The PNG files of a run's folder.
///
/// # Errors
/// When the columns of the run differ in length.
pub fn of_run(
    summary: &Summary,
    judged: &Judged,
    market: &Market,
    series: &[DrawnSeries],
) -> Result<Vec<(String, Vec<u8>)>> {
    let run = &judged.outcome.run;
    let tearsheet = tear_sheet(summary, judged);
    let trades = trades_chart(summary, run, market, series);
    let income = income_chart(summary, run);
    Ok(vec![
        ("tearsheet.png".to_string(), chart::tearsheet(&tearsheet)?),
        ("trades.png".to_string(), chart::trades(&trades)?),
        ("income.png".to_string(), chart::income(&income)?),
    ])
}

pub(crate) fn subtitle(summary: &Summary) -> String {
    const SHOWN: usize = 5;
    let period = &summary.period;
    let mut symbols = summary.symbols[..summary.symbols.len().min(SHOWN)].join(", ");
    if summary.symbols.len() > SHOWN {
        symbols.push_str(&format!(" and {} more", summary.symbols.len() - SHOWN));
    }
    format!("{}  ·  {symbols}", period.words())
}

/// The sign of a currency that has a plain one, else its code.
pub(crate) fn unit(summary: &Summary) -> String {
    match summary.currency.as_str() {
        "USD" => "$".to_string(),
        "EUR" => "€".to_string(),
        "GBP" => "£".to_string(),
        code => code.to_string(),
    }
}

fn tear_sheet(summary: &Summary, judged: &Judged) -> TearSheet {
    let run = &judged.outcome.run;
    let curves = &judged.curves;
    let named = |name: &str, role, value: &[f64]| Series {
        name: name.to_string(),
        role,
        value: value.to_vec(),
    };
    let role = |name: &str| match name {
        "cash" => Role::Cash,
        _ => Role::Benchmark,
    };
    let shown = judged.outcome.benchmarks.iter().take(BENCHMARKS_MAX);
    let benchmarks = shown.map(|(name, run)| named(name, role(name), &run.equity));
    let mut equity = vec![named(&summary.name, Role::Strategy, &run.equity)];
    equity.extend(benchmarks);
    if !summary.put_in.is_empty() {
        equity.push(named("put in", Role::PutIn, &summary.put_in));
    }
    let mut drawdown = vec![named(&summary.name, Role::Strategy, &curves.drawdown)];
    let others = judged
        .outcome
        .benchmarks
        .iter()
        .zip(&curves.benchmark_drawdown);
    let reference = others.clone().find(|((name, _), _)| name != "cash");
    drawdown.extend(reference.map(|((name, _), column)| named(name, Role::Benchmark, column)));
    let conventions = summary.conventions.iter();
    let conventions: Vec<String> = conventions
        .map(|(q, words)| format!("{q}: {words}."))
        .collect();
    TearSheet {
        title: summary.name.clone(),
        subtitle: format!(
            "{}  ·  {}{} at the start",
            subtitle(summary),
            unit(summary),
            figure::grouped(summary.start_equity, 0)
        ),
        figures: headline(summary),
        time: run.time.clone(),
        equity,
        unit: unit(summary),
        equity_note: summary.ambiguous.map(|band| {
            format!(
                "{} trades had a bar that reached both stop and target: the end is {} at worst, {} at best.",
                band.trades,
                figure::grouped(band.worst, 0),
                figure::grouped(band.best, 0)
            )
        }),
        drawdown,
        allocation: curves.allocation.iter().map(area).collect(),
        months: months(&curves.months),
        years: curves.years.clone(),
        rolling_sharpe: curves.rolling.sharpe.clone(),
        rolling_window: curves.rolling.window.to_string(),
        income: streams(summary),
        income_total: summary.change_of_equity(),
        stress: stress_box(&judged.stress),
        learning: summary.learning.as_ref().map(learning_box),
        overfitting: summary.among.as_ref().and_then(judgement::among_trials),
        assumptions: conventions.join(" "),
        caveats: summary.caveats.iter().map(|c| c.text.clone()).collect(),
    }
}

fn area(part: &Allocated) -> Area {
    let others = |n: usize| match n {
        1 => "1 other".to_owned(),
        n => format!("{n} others"),
    };
    let (name, kind) = match &part.of {
        Holder::Named(name) => (name.clone(), Part::Named),
        Holder::Others(n) => (others(*n), Part::Others),
        Holder::OthersShort(n) => (format!("{} short", others(*n)), Part::Others),
        Holder::Cash => ("cash".to_owned(), Part::Cash),
    };
    Area {
        name,
        part: kind,
        share: part.share.clone(),
        average: part.average,
    }
}

fn months(months: &[(i32, u32, f64)]) -> Vec<MonthReturn> {
    let month = |&(year, month, value): &(i32, u32, f64)| MonthReturn { year, month, value };
    months.iter().map(month).collect()
}

fn streams(summary: &Summary) -> Vec<Amount> {
    let amount = |(stream, value): &(Stream, f64)| Amount {
        name: stream_label(*stream).to_string(),
        value: *value,
    };
    summary.income.iter().map(amount).collect()
}

/// The figures at the head of the tear sheet, each with what it is to be read against.
fn headline(summary: &Summary) -> Vec<Figure> {
    let metrics = &summary.metrics;
    let reference = summary.benchmarks.iter().find(|b| b.name != "cash");
    let against = |key: &str| match reference {
        Some(one) => format!("{} {}", one.name, figure::of_key(&one.metrics, key)),
        None => String::new(),
    };
    let figure = |label: &str, key: &str, note: String| Figure {
        label: label.to_string(),
        value: typeset(&figure::of_key(metrics, key)),
        note: typeset(&note),
    };
    let lasted = match metrics.has_flows() {
        true => figure(
            "Money-weighted",
            "mwr",
            "a year, with the flows".to_string(),
        ),
        false => figure(
            "It lasted",
            "max_drawdown_days",
            "days, from peak to recovery".to_string(),
        ),
    };
    vec![
        figure("Total return", "total_return", against("total_return")),
        figure("CAGR", "cagr", against("cagr")),
        figure("Sharpe ratio", "sharpe", sharpe_note(metrics)),
        figure("Volatility", "volatility", against("volatility")),
        figure("Max drawdown", "max_drawdown", against("max_drawdown")),
        lasted,
        figure("Exposure", "exposure", "of the days".to_string()),
        figure(
            "Trades",
            "trades",
            format!("{} won", figure::of_key(metrics, "win_rate")),
        ),
    ]
}

/// The strategy under stress: what was found, and where nothing could be found only what that says
/// of its costs. All reasons are in the table of `stress`.
fn stress_box(found: &Stress) -> Option<StressBox> {
    const HEADS: [(&str, &str); 3] = [
        ("cagr", "CAGR"),
        ("sharpe", "Sharpe"),
        ("max_drawdown", "Drawdown"),
    ];
    let worst = found.worst_line().map(|line| line.key);
    let row = |line: &StressLine| {
        let run = match &line.result {
            Ok(StressResult::Figures(metrics)) => Some(metrics),
            _ => None,
        };
        let cell = |(key, _): &(&str, &str)| {
            run.map_or_else(String::new, |run| typeset(&figure::of_key(run, key)))
        };
        StressRow {
            label: line.label.clone(),
            cells: HEADS.iter().map(cell).collect(),
            note: match run {
                Some(_) => String::new(),
                None => typeset(&stress::in_brief(line)),
            },
            worst: worst == Some(line.key),
        }
    };
    let is_told = |line: &&StressLine| line.result.is_ok() || line.key.starts_with("break_even");
    let mut rows: Vec<StressRow> = found.lines.iter().filter(is_told).map(row).collect();
    // Runs first, so that their figures stand in columns without holes.
    rows.sort_by_key(|row| !row.note.is_empty());
    // The run as it is says nothing that stands on its own.
    (rows.len() > 1).then(|| StressBox {
        headline: typeset(&stress::headline(found).unwrap_or_default()),
        heads: HEADS.map(|(_, words)| words.to_string()).into(),
        rows,
    })
}

/// The three equities that say whether learning was worth it, under the model's scores.
fn learning_box(found: &Learning) -> StressBox {
    let row = |(label, equity, note): (String, f64, String)| StressRow {
        label,
        cells: vec![figure::grouped(equity, 0)],
        note,
        worst: false,
    };
    StressBox {
        headline: typeset(&learning::headline(found)),
        heads: vec!["End equity".to_owned()],
        rows: learning::equities(found).into_iter().map(row).collect(),
    }
}

/// The minus of print, as the axes have it.
pub(crate) fn typeset(figure: &str) -> String {
    figure.replace('-', "−")
}

/// The same in a sentence, whose hyphens and dates stay as they are.
pub(crate) fn typeset_numbers(words: &str) -> String {
    let word = |word: &str| match word.strip_prefix('-') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("−{rest}"),
        _ => word.to_string(),
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn sharpe_note(metrics: &Metrics) -> String {
    match (metrics.get("sharpe_low"), metrics.get("sharpe_high")) {
        (Some(low), Some(high)) => format!("90%: {low:.2} to {high:.2}"),
        _ => String::new(),
    }
}

fn trades_chart(
    summary: &Summary,
    run: &Run,
    market: &Market,
    series: &[DrawnSeries],
) -> TradesChart {
    // A symbol that two layers trade has a panel for each.
    let trades = run.trades.iter().enumerate();
    let place = |(k, trade): (usize, &Trade)| (run.layers.trades.get(k).copied(), trade.symbol);
    let mut traded: Vec<(Option<usize>, usize)> = trades.map(place).collect();
    // Contracts of options stand behind the symbols.
    traded.retain(|(_, symbol)| *symbol < market.tapes.len());
    traded.sort_unstable();
    traded.dedup();
    if traded.is_empty() {
        // Nothing was traded: show what could have been.
        let wanted = |tape: &usize| summary.symbols.contains(&market.tapes[*tape].symbol);
        let first = (0..market.tapes.len()).find(wanted);
        traded = first.into_iter().map(|tape| (None, tape)).collect();
    }
    let panels = traded
        .into_iter()
        .map(|place| panel(run, market, place, series));
    TradesChart {
        title: format!("{}: trades", summary.name),
        subtitle: subtitle(summary),
        panels: panels.collect(),
        notes: vec![
            "Prices before a split are divided by it, so that splits leave no jump.".to_string(),
        ],
    }
}

/// One symbol (of one layer) over the bars of the run, in the money of the last one.
fn panel(
    run: &Run,
    market: &Market,
    (layer, tape): (Option<usize>, usize),
    series: &[DrawnSeries],
) -> SymbolPanel {
    let symbol = &market.tapes[tape];
    let bars = &symbol.bars;
    let start = run.time.first().copied().unwrap_or_default();
    let end = run.time.last().copied().unwrap_or_default();
    let from = bars.time.partition_point(|t| *t < start);
    let to = bars.time.partition_point(|t| *t <= end);
    let scale = scale(market, tape, to);
    let scaled = |column: &[f64]| -> Vec<f64> {
        let bars = from..to;
        bars.map(|bar| column[bar] / scale[bar]).collect()
    };
    let price = scaled(&bars.close);
    let low = price.iter().copied().fold(f64::INFINITY, f64::min);
    let high = price.iter().copied().fold(0.0, f64::max);
    let of_symbol = series.iter().filter(|one| one.tape == tape);
    let (over, under): (Vec<_>, Vec<_>) = of_symbol.partition(|one| one.is_price);
    let line = |one: &DrawnSeries, value| NamedLine {
        name: one.name.clone(),
        value,
    };
    // A trade's bars are those of the market's clock; the scale is that of the symbol's own bars.
    let at = |bar: usize, price: f64| -> (Micros, f64) {
        let time = run.time[bar - run.first_bar];
        let own = bars.time.partition_point(|t| *t <= time).max(1) - 1;
        // The average of many fills is no price of the first one's bar: the mark stands at its close.
        let beyond = price < 0.85 * bars.low[own] || price > 1.15 * bars.high[own];
        let price = if beyond { bars.close[own] } else { price };
        (time, price / scale.get(own).copied().unwrap_or(1.0))
    };
    let trades = run.trades.iter().enumerate();
    let trades = trades
        .filter(|(k, trade)| trade.symbol == tape && run.layers.trades.get(*k).copied() == layer);
    let trades = trades.map(|(_, trade)| trade);
    let name = layer.and_then(|layer| run.layers.runs.get(layer));
    SymbolPanel {
        symbol: match name {
            Some(layer) => format!("{}: {}", layer.name, symbol.symbol),
            None => symbol.symbol.clone(),
        },
        time: bars.time[from..to].to_vec(),
        log: high > LOG_RATIO * low,
        price,
        overlays: over
            .iter()
            .map(|one| line(one, scaled(&one.values)))
            .collect(),
        below: below(&under, from..to),
        trades: trades.clone().map(|trade| mark(trade, &at)).collect(),
        stops: trades.filter_map(|trade| stop(trade, &at)).collect(),
    }
}

/// Series that are no prices, those of one panel together, over some bars of the symbol.
fn below(series: &[&DrawnSeries], bars: Range<usize>) -> Vec<SubPanel> {
    let mut panels: BTreeMap<usize, SubPanel> = BTreeMap::new();
    for one in series {
        let panel = panels.entry(one.panel).or_default();
        panel.lines.push(NamedLine {
            name: one.name.clone(),
            value: one.values[bars.clone()].to_vec(),
        });
        panel.levels.extend_from_slice(&one.levels);
    }
    panels.into_values().collect()
}

/// What prices of each bar before `to` are divided by to be in the money of the last one.
pub(crate) fn scale(market: &Market, tape: usize, to: usize) -> Vec<f64> {
    let mut scale = vec![1.0; to];
    for (first, factor) in seen_splits(market, tape, false) {
        if first < to {
            scale[..first].iter_mut().for_each(|s| *s *= factor);
        }
    }
    scale
}

fn mark(trade: &Trade, at: &impl Fn(usize, f64) -> (Micros, f64)) -> TradeMark {
    let (entry, entry_price) = at(trade.entry_bar, trade.entry_price);
    let is_closed = trade.status == TradeStatus::Closed;
    TradeMark {
        entry,
        entry_price,
        exit: is_closed.then(|| at(trade.exit_bar, trade.exit_price)),
        won: trade.pnl > 0.0,
        short: trade.side == PositionSide::Short,
    }
}

fn stop(trade: &Trade, at: &impl Fn(usize, f64) -> (Micros, f64)) -> Option<StopLevel> {
    let (from, price) = at(trade.entry_bar, trade.stop?);
    let (to, _) = at(trade.exit_bar, 0.0);
    Some(StopLevel { from, to, price })
}

fn income_chart(summary: &Summary, run: &Run) -> IncomeChart {
    let mut months: Vec<&str> = run.income.iter().map(|row| row.month.as_str()).collect();
    months.sort_unstable();
    months.dedup();
    let by_year = months.len() >= MONTHS_MAX;
    let period = |month: &str| {
        if by_year {
            month[..4].to_string()
        } else {
            month.to_string()
        }
    };
    let mut sums: BTreeMap<String, BTreeMap<usize, f64>> = BTreeMap::new();
    for row in &run.income {
        let stream = sums.entry(period(&row.month)).or_default();
        *stream.entry(row.stream as usize).or_insert(0.0) += row.amount;
    }
    let streams: Vec<chart::Stream> = summary
        .income
        .iter()
        .map(|(stream, _)| chart::Stream {
            name: stream_label(*stream).to_string(),
            amounts: sums
                .values()
                .map(|of| of.get(&(*stream as usize)).copied().unwrap_or(0.0))
                .collect(),
        })
        .collect();
    let mut sum = 0.0;
    let cumulative = sums.values().map(|of| {
        sum += of.values().sum::<f64>();
        sum
    });
    let symbols = summary
        .income_by_symbol
        .iter()
        .map(|(symbol, income)| Amount {
            name: if symbol.is_empty() {
                "cash".to_string()
            } else {
                symbol.clone()
            },
            value: income.iter().map(|(_, amount)| amount).sum(),
        });
    let layers = summary
        .income_by_layer
        .iter()
        .map(|(layer, income)| Amount {
            name: layer.clone(),
            value: income.iter().map(|(_, amount)| amount).sum(),
        });
    IncomeChart {
        title: format!("{}: where the money came from", summary.name),
        subtitle: subtitle(summary),
        unit: unit(summary),
        period: if by_year { "year" } else { "month" }.to_string(),
        cumulative: cumulative.collect(),
        periods: sums.keys().map(|name| period_label(name)).collect(),
        streams,
        totals: self::streams(summary),
        total: summary.change_of_equity(),
        layers: layers.collect(),
        symbols: symbols.collect(),
        premium: summary
            .options
            .as_ref()
            .and_then(|page| options::premium_chart(&page.figures)),
        notes: notes(summary),
    }
}

fn notes(summary: &Summary) -> Vec<String> {
    let excess = summary.savings.as_ref().map(|savings| {
        format!(
            "Change of equity is {} over that of savings at {} with the same flows.",
            typeset(&figure::money(savings.excess)),
            savings.hurdle
        )
    });
    let price = "Price gain is at prices before slippage; what slippage took stands beside it.";
    excess.into_iter().chain([price.to_string()]).collect()
}

/// `2014` as it is, `2014-03` as `Mar 2014`.
pub(crate) fn period_label(period: &str) -> String {
    const NAMES: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let Some((year, month)) = period.split_once('-') else {
        return period.to_string();
    };
    let at = month.parse::<usize>().ok().and_then(|m| m.checked_sub(1));
    match at.and_then(|at| NAMES.get(at)) {
        Some(name) => format!("{name} {year}"),
        None => period.to_string(),
    }
}
