//! Which tables of a file stand there several times, how often, and what each is called: a key such
//! as `cashflow.salary.amount` or `cashflow.amount` becomes `cashflow.0.amount`, the one spelling that
//! the rest of the reader knows.

use crate::error::{Problem, nearest};
use crate::strategy::vocabulary::{self, Table};

/// The rows of the repeated tables of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// Table, number of the row, its name if it has one.
    rows: Vec<(&'static str, usize, Option<String>)>,
}

impl Rows {
    /// Rows of full keys, each with its value where that is text.
    pub(super) fn of(keys: impl Iterator<Item = (String, Option<String>)>) -> Rows {
        let mut rows: Vec<(&'static str, usize, Option<String>)> = Vec::new();
        for (full, text) in keys {
            let Some((table, row, key)) = split(&full) else {
                continue;
            };
            let at = match rows.iter().position(|r| (r.0, r.1) == (table.name, row)) {
                Some(at) => at,
                None => {
                    rows.push((table.name, row, None));
                    rows.len() - 1
                }
            };
            if table.repeated == Some(key) {
                rows[at].2 = text;
            }
        }
        Rows { rows }
    }

    /// How many rows a table has.
    pub(super) fn count(&self, table: &str) -> usize {
        let rows = self.rows.iter().filter(|r| r.0 == table);
        rows.map(|r| r.1 + 1).max().unwrap_or(0)
    }

    /// The full key with the number of its row, where the key is one of a repeated table; any other
    /// key as it is.
    ///
    /// # Errors
    /// A number or a name of a row that there is not, and no row named where there are several.
    pub(super) fn full(&self, key: &str) -> Result<String, Problem> {
        self.numbered(key, 0)
    }

    /// The same, where the next row may be begun.
    ///
    /// # Errors
    /// As [`Rows::full`].
    pub(super) fn full_or_new(&self, key: &str) -> Result<String, Problem> {
        self.numbered(key, 1)
    }

    fn numbered(&self, key: &str, new: usize) -> Result<String, Problem> {
        let (first, rest) = key.split_once(['.', '[']).unwrap_or((key, ""));
        let Some(table) = vocabulary::find_table(first).filter(|t| t.repeated.is_some()) else {
            return Ok(key.to_owned());
        };
        let name = table.name;
        let count = self.count(name);
        let heading = table.heading();
        let Some((which, key)) = rest.split_once('.') else {
            if rest.is_empty() || count + new > 1 && count != 1 {
                let what = format!("`{key}`: which {heading}? There are {count}");
                return Err(Problem::new(what).help(self.names(table)));
            }
            return Ok(format!("{name}.0.{rest}"));
        };
        let which = which.trim_end_matches(']');
        let of_name = self
            .rows
            .iter()
            .find(|r| r.0 == name && r.2.as_deref() == Some(which));
        match (of_name, which.parse::<usize>()) {
            (Some((_, row, _)), _) => Ok(format!("{name}.{row}.{key}")),
            (None, Ok(row)) if row < count + new => Ok(format!("{name}.{row}.{key}")),
            (None, Ok(row)) => Err(Problem::new(format!(
                "there is no {heading} number {row}: the file has {count}"
            ))
            .help(self.names(table))),
            (None, Err(_)) => Err(self.unknown(table, which)),
        }
    }

    fn unknown(&self, table: &Table, which: &str) -> Problem {
        let problem = Problem::new(format!("no {} is called `{which}`", table.heading()));
        let named = self.rows.iter().filter(|r| r.0 == table.name);
        match nearest(which, named.filter_map(|r| r.2.as_deref())) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(self.names(table)),
        }
    }

    fn names(&self, table: &Table) -> String {
        let rows = self.rows.iter().filter(|r| r.0 == table.name);
        let names = rows.map(|(_, row, name)| match name {
            Some(name) => format!("{}.{name}", table.name),
            None => format!("{}.{row}", table.name),
        });
        let names: Vec<String> = names.collect();
        match names.is_empty() {
            true => format!("the first is {}.0", table.name),
            false => format!("there are {}; numbers count from 0", names.join(" ")),
        }
    }
}

/// A full key of a repeated table: `cashflow.0.amount`.
fn split(full: &str) -> Option<(&'static Table, usize, &str)> {
    let (numbered, key) = full.rsplit_once('.')?;
    let (_, row) = numbered.split_once('.')?;
    let table = vocabulary::find_table(numbered).filter(|t| t.repeated.is_some())?;
    Some((table, row.parse().ok()?, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(keys: &[(&str, Option<&str>)]) -> Rows {
        let owned = |text: &str| text.to_owned();
        Rows::of(keys.iter().map(|(k, t)| (owned(k), t.map(owned))))
    }

    #[test]
    fn a_row_is_named_by_number_or_name_or_alone() {
        let one = rows(&[("cashflow.0.amount", None)]);
        assert_eq!(one.full("cashflow.amount").unwrap(), "cashflow.0.amount");
        assert_eq!(one.full("cashflow[0].day").unwrap(), "cashflow.0.day");
        assert!(one.full("cashflow.1.day").is_err());
        assert_eq!(one.full_or_new("cashflow.1.day").unwrap(), "cashflow.1.day");
        assert_eq!(one.full("stops.stop").unwrap(), "stops.stop");
        let two = rows(&[
            ("cashflow.0.stream", Some("salary")),
            ("cashflow.1.stream", Some("rent")),
        ]);
        assert_eq!(two.full("cashflow.rent.end").unwrap(), "cashflow.1.end");
        let which = two.full("cashflow.end").unwrap_err();
        assert!(which.message.contains("which [[cashflow]]? There are 2"));
        let near = two.full("cashflow.rant.end").unwrap_err();
        assert_eq!(near.help.as_deref(), Some("did you mean `rent`?"));
        let none = rows(&[]);
        assert_eq!(
            none.full_or_new("cashflow.amount").unwrap(),
            "cashflow.0.amount"
        );
        assert!(none.full("cashflow.0.amount").is_err());
    }
}
