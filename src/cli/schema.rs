//! `schema`: the vocabulary of the strategy file with every default, as text, CSV, or a JSON Schema
//! that editors complete from. The vocabulary itself is the library's.

use crate::cli::{Context, Exit, Format, page};
use papertape::strategy::vocabulary::{
    COST_PRESETS, Fallback, Key, Keys, Kind, Range, TABLES, Table,
};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Arguments of the verb: none.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, io: &mut Context) -> papertape::error::Result<Exit> {
    match io.format {
        Format::Table => io.print(text()),
        Format::Csv => io.print(csv()),
        Format::Json => io.print(format_args!("{:#}\n", json_schema())),
    }
    Ok(Exit::Done)
}

/// Column where the words begin.
const INDENT: usize = 22;

/// For people: a block a table, a paragraph a key.
fn text() -> String {
    let mut text = String::from(
        "A strategy file is TOML. Fractions are fractions (0.05 is 5%); paths start from\n\
         the folder of the file; a key that is left out has its default.\n",
    );
    for table in TABLES.iter().filter(|t| !t.later) {
        let name = match table.name {
            "" => "at the top of the file".to_owned(),
            _ => table.heading(),
        };
        let _ = write!(text, "\n{name}  {}\n", table.about);
        match table.keys {
            Keys::Named(kind) => page::paragraph(&mut text, INDENT, "name =", &kind.text()),
            Keys::Both(_, kind) => {
                page::paragraph(&mut text, INDENT, "param or key =", &kind.text())
            }
            Keys::Fixed(_) => {}
        }
        for row in table.rows().iter().filter(|row| !row.later) {
            let value = format!("{}; default: {}", row.kind.text(), row.default.text());
            page::paragraph(&mut text, INDENT, row.name, row.about);
            page::paragraph(&mut text, INDENT, "", &value);
        }
    }
    text.push_str("\nPresets of [costs]\n");
    for preset in COST_PRESETS {
        page::paragraph(&mut text, INDENT, preset.name, preset.about);
    }
    text.push_str("\nNot yet part of papertape\n");
    for table in TABLES.iter().filter(|t| t.later) {
        page::paragraph(&mut text, INDENT, table.name, table.about);
    }
    for table in TABLES {
        for row in table.rows().iter().filter(|row| row.later) {
            page::paragraph(
                &mut text,
                INDENT,
                &format!("{}.{}", table.name, row.name),
                row.about,
            );
        }
    }
    text
}

/// One row a key.
fn csv() -> String {
    let mut text = String::from("table,key,kind,default,about\n");
    for table in TABLES.iter().filter(|t| !t.later) {
        for row in table.rows().iter().filter(|row| !row.later) {
            let first = format!("{},{}", table.name, row.name);
            let cells = [&row.kind.text(), &row.default.text(), row.about];
            text.push_str(&page::csv_row(&first, &cells));
        }
    }
    text
}

/// JSON Schema, draft 2020-12, of a strategy file as editors see it: a TOML date is a string.
fn json_schema() -> Value {
    let mut properties = Map::new();
    for table in TABLES.iter().filter(|t| !t.later) {
        match table.name {
            "" => properties.extend(rows_schema(table)),
            name if table.repeated.is_some() => {
                let rows = json!({ "type": "array", "items": table_schema(table) });
                properties.insert(name.to_owned(), rows);
            }
            name => match name.split_once('.') {
                // A table inside a table stands after it and is one of its properties.
                Some((outer, inner)) => {
                    let outer = properties.get_mut(outer);
                    let below = outer.and_then(|o| o["properties"].as_object_mut());
                    if let Some(below) = below {
                        below.insert(inner.to_owned(), table_schema(table));
                    }
                }
                None => {
                    properties.insert(name.to_owned(), table_schema(table));
                }
            },
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "papertape strategy",
        "schema": 1,
        "type": "object",
        "properties": properties,
        // Exactly one says what to hold.
        "oneOf": [
            { "required": ["rules"] },
            { "required": ["rank"] },
            { "required": ["weights"] },
            { "required": ["layer"] },
            {
                "required": ["options"],
                "not": { "anyOf": [
                    { "required": ["rules"] },
                    { "required": ["rank"] },
                    { "required": ["weights"] },
                    { "required": ["layer"] },
                ] },
            },
        ],
        "additionalProperties": false,
    })
}

fn table_schema(table: &Table) -> Value {
    match table.keys {
        Keys::Fixed(_) => json!({
            "description": table.about,
            "type": "object",
            "properties": rows_schema(table),
            "additionalProperties": false,
        }),
        Keys::Both(_, kind) => json!({
            "description": table.about,
            "type": "object",
            "properties": rows_schema(table),
            "additionalProperties": kind_schema(kind),
        }),
        Keys::Named(kind) => json!({
            "description": table.about,
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": kind_schema(kind),
        }),
    }
}

fn rows_schema(table: &Table) -> Map<String, Value> {
    table
        .rows()
        .iter()
        .filter(|row| !row.later)
        .map(|row| (row.name.to_owned(), key_schema(row)))
        .collect()
}

fn key_schema(row: &Key) -> Value {
    let mut schema = kind_schema(row.kind);
    let mut about = row.about.to_owned();
    let default = match row.default {
        Fallback::Unset(words) => {
            let _ = write!(about, " [default: {words}]");
            None
        }
        Fallback::Number(x) if matches!(row.kind, Kind::Whole { .. }) => Some(json!(x as i64)),
        Fallback::Number(x) => Some(json!(x)),
        Fallback::Word(word) => Some(json!(word)),
        Fallback::Flag(yes) => Some(json!(yes)),
    };
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(about));
        if let Some(default) = default {
            object.insert("default".to_owned(), default);
        }
    }
    schema
}

fn kind_schema(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Path => json!({ "type": "string" }),
        Kind::Expression => json!({ "type": "string", "minLength": 1 }),
        Kind::Number(range) | Kind::Fraction(range) | Kind::BasisPoints(range) => {
            number_schema(range)
        }
        Kind::Whole { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Day => json!({ "type": "string", "format": "date" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Rate(range) | Kind::Distance(range) => {
            json!({ "anyOf": [number_schema(range), { "type": "string", "minLength": 1 }] })
        }
        Kind::Symbols => json!({
            "type": "array",
            "items": { "type": "string", "minLength": 1 },
            "minItems": 1,
            "uniqueItems": true,
        }),
        Kind::Weights => json!({
            "type": "object",
            "additionalProperties": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
        }),
        Kind::Targets => json!({
            "type": "object",
            "additionalProperties": { "type": "number", "exclusiveMinimum": 0, "maximum": 10 },
            "minProperties": 1,
        }),
        Kind::Stretch => json!({ "anyOf": [
            { "type": "string", "pattern": "^[1-9][0-9]*(d|w|mo|y)$" },
            { "type": "integer", "minimum": 1 },
        ] }),
        Kind::Expressions => json!({
            "type": "array",
            "items": { "type": "string", "minLength": 1 },
            "minItems": 1,
            "uniqueItems": true,
        }),
        Kind::Schedule => json!({ "anyOf": [
            { "enum": ["day", "week", "month", "quarter", "year"] },
            { "type": "string", "pattern": "^[1-9][0-9]*(d|w|mo|y)$" },
            { "type": "integer", "minimum": 1 },
        ] }),
        Kind::BarSize => {
            json!({ "type": "string", "pattern": "^([1-9][0-9]*m|[1-9][0-9]*h|1d|1w|1mo)$" })
        }
        Kind::Feeds => feeds_schema(),
        Kind::DayOfPeriod => json!({ "anyOf": [
            { "enum": ["first", "last"] },
            { "type": "integer", "minimum": 1, "maximum": 366 },
        ] }),
        Kind::Axis => axis_schema(),
        Kind::Groups { most } => json!({
            "type": "array",
            "items": {
                "type": "array",
                "items": { "type": "string", "minLength": 1 },
                "minItems": 2,
                "maxItems": most,
                "uniqueItems": true,
            },
            "minItems": 1,
        }),
        Kind::Pair { .. } | Kind::Words(_) | Kind::Mixed { .. } => of_several(kind),
    }
}

/// Kinds of several values, or of several kinds of value.
fn of_several(kind: Kind) -> Value {
    match kind {
        Kind::Pair { min, max } => json!({
            "type": "array",
            "items": { "type": "integer", "minimum": min, "maximum": max },
            "minItems": 2,
            "maxItems": 2,
        }),
        Kind::Words(words) => json!({ "type": "array", "items": { "enum": words } }),
        Kind::Mixed {
            words,
            fraction,
            path,
        } => {
            let mut ways = vec![json!({ "enum": words })];
            ways.extend(fraction.map(number_schema));
            ways.extend(path.then(|| json!({ "type": "string", "minLength": 1 })));
            json!({ "anyOf": ways })
        }
        _ => json!({}),
    }
}

/// Which layer receives which income.
fn feeds_schema() -> Value {
    let layer = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "dividends": layer,
            "premium": layer,
            "interest": layer,
            "gains": layer,
        },
        "additionalProperties": false,
    })
}

/// A list of values, or a range of numbers or days.
fn axis_schema() -> Value {
    let value =
        json!({ "anyOf": [{ "type": "number" }, { "type": "string" }, { "type": "boolean" }] });
    json!({ "anyOf": [
        { "type": "array", "items": value, "minItems": 1 },
        {
            "type": "object",
            "properties": {
                "from": value,
                "to": value,
                "step": value,
                "count": { "type": "integer", "minimum": 1 },
                "log": { "type": "boolean" },
            },
            "required": ["from", "to"],
            "additionalProperties": false,
        },
    ] })
}

fn number_schema(range: Range) -> Value {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("number"));
    if range.min.is_finite() {
        let bound = if range.above {
            "exclusiveMinimum"
        } else {
            "minimum"
        };
        schema.insert(bound.to_owned(), json!(range.min));
    }
    if range.max.is_finite() {
        schema.insert("maximum".to_owned(), json!(range.max));
    }
    Value::Object(schema)
}
