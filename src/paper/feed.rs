//! Bars from a stream of lines: CSV with a header, or one JSON object a line, as any downloader
//! writes them. Lines may come in any order and twice.

use crate::error::{Error, Problem, Result};
use crate::market::load::read_raw_bytes;
use crate::market::{Bars, Market, RawTape, show_time};
use serde_json::{Map, Value};

/// Lines named one by one in a note.
const NAMED: usize = 3;

/// The bars of a feed, and notes about lines that came twice. A feed without a column of symbols is
/// of `only`, the one symbol of its account. `None` when it has no line.
///
/// # Errors
/// Lines that cannot be read, each with its number; two lines of one bar that differ.
pub fn read_feed(
    bytes: &[u8],
    columns: &[(String, String)],
    only: Option<&str>,
) -> Result<(Option<Market>, Vec<String>)> {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    let Some(first) = first else {
        return Ok((None, Vec::new()));
    };
    let table = match first {
        b'{' => Some(table_of_objects(bytes)?),
        _ => None,
    };
    let name = format!("{}.csv", only.unwrap_or("feed"));
    let tapes = read_raw_bytes(&name, table.as_deref().unwrap_or(bytes), columns)?;
    let mut problems: Vec<Problem> = Vec::new();
    let mut notes = Vec::new();
    let mut bars = Vec::new();
    for tape in tapes {
        if only.is_none() && tape.symbol == "feed" {
            return Err(
                Problem::new("the feed does not say which symbol its bars are of")
                    .at_line(1)
                    .help("add a column `symbol`")
                    .into(),
            );
        }
        problems.extend(tape.problems.iter().cloned());
        match in_order(&tape, &mut notes) {
            Ok(sorted) => bars.push((tape.symbol.clone(), sorted)),
            Err(error) => problems.extend(error.problems().iter().cloned()),
        }
    }
    if !problems.is_empty() {
        let named = problems.into_iter().map(|p| p.in_file("feed"));
        return Err(Error::all(named.collect()));
    }
    Ok((Some(Market::from_tapes(bars)?), notes))
}

/// Rows of a tape in order of time, each moment once.
fn in_order(tape: &RawTape, notes: &mut Vec<String>) -> Result<Bars> {
    let mut order: Vec<usize> = (0..tape.time.len()).collect();
    order.sort_by_key(|i| tape.time[*i]);
    let columns = [&tape.open, &tape.high, &tape.low, &tape.close, &tape.volume];
    let further = tape.extra.iter().map(|(_, column)| column);
    let all: Vec<&Vec<f64>> = columns.into_iter().chain(further).collect();
    let same = |a: usize, b: usize| {
        all.iter()
            .filter(|column| !column.is_empty())
            .all(|c| c[a] == c[b] || (c[a].is_nan() && c[b].is_nan()))
    };
    let mut kept: Vec<usize> = Vec::new();
    let mut twice = Vec::new();
    let mut problems = Vec::new();
    for i in order {
        match kept.last() {
            Some(&before) if tape.time[before] == tape.time[i] => {
                if same(before, i) {
                    twice.push(show_time(tape.time[i]));
                } else {
                    let what = format!(
                        "{} has two bars of {} that differ",
                        tape.symbol,
                        show_time(tape.time[i])
                    );
                    let first = format!("the first is on line {}; send one", tape.line[before]);
                    problems.push(Problem::new(what).at_line(tape.line[i]).help(first));
                }
            }
            _ => kept.push(i),
        }
    }
    if !problems.is_empty() {
        return Err(Error::all(problems));
    }
    if !twice.is_empty() {
        let more = if twice.len() > NAMED { " …" } else { "" };
        let some = twice[..twice.len().min(NAMED)].join(" ");
        notes.push(format!(
            "{}: {} lines came twice: {some}{more}",
            tape.symbol,
            twice.len()
        ));
    }
    let pick = |column: &Vec<f64>| kept.iter().map(|i| column[*i]).collect::<Vec<_>>();
    let time = kept.iter().map(|i| tape.time[*i]).collect();
    let volume = tape.has_volume.then(|| pick(&tape.volume));
    let close = pick(&tape.close);
    let mut bars = match tape.closes_only {
        true => Bars::of_closes(time, close)?,
        false => Bars::new(
            time,
            pick(&tape.open),
            pick(&tape.high),
            pick(&tape.low),
            close,
            None,
        )?,
    };
    bars.volume = volume.map(std::sync::Arc::new);
    for (name, column) in &tape.extra {
        bars = bars.with_extra(name, pick(column))?;
    }
    Ok(bars)
}

/// Lines of JSON objects as a table: a column a key, in the order of their first appearance; the
/// line of an object is that of its row less one.
fn table_of_objects(bytes: &[u8]) -> Result<Vec<u8>> {
    let text = String::from_utf8_lossy(bytes);
    let mut objects: Vec<Option<Map<String, Value>>> = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Map<String, Value>>(line) {
            Ok(object) => {
                for key in object.keys() {
                    if !keys.contains(key) {
                        keys.push(key.clone());
                    }
                }
                objects.push(Some(object));
            }
            Err(cause) => problems.push(
                Problem::new(format!("not a JSON object: {cause}"))
                    .in_file("feed")
                    .at_line(number as u64 + 1)
                    .help("one bar a line, {\"symbol\": \"ABC\", \"date\": \"2020-01-02\", \"close\": 10}"),
            ),
        }
    }
    if !problems.is_empty() {
        return Err(Error::all(problems));
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |cause: csv::Error| Error::msg(format!("the feed cannot be read: {cause}"));
    writer.write_record(&keys).map_err(failed)?;
    for object in objects.iter().flatten() {
        let cell = |key: &String| match object.get(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        writer.write_record(keys.iter().map(cell)).map_err(failed)?;
    }
    writer
        .into_inner()
        .map_err(|cause| Error::msg(format!("the feed cannot be read: {cause}")))
}
