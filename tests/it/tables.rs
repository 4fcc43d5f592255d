//! Reading the committed tables of expected values.

use papertape::units::Micros;
use std::path::PathBuf;

/// A file under `tests/golden`.
pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// A CSV file as text cells.
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a file that has to be there.
    pub(crate) fn read(path: &std::path::Path) -> Table {
        let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let header = reader
            .headers()
            .expect("a header")
            .iter()
            .map(str::to_string)
            .collect();
        let rows = reader
            .records()
            .map(|r| r.expect("a sound row").iter().map(str::to_string).collect())
            .collect();
        Table { header, rows }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A column as text.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let at = self
            .header
            .iter()
            .position(|h| h == name)
            .unwrap_or_else(|| panic!("no {name}"));
        self.rows.iter().map(|r| r[at].clone()).collect()
    }

    /// A column as numbers; an empty cell is NaN.
    pub(crate) fn numbers(&self, name: &str) -> Vec<f64> {
        self.texts(name)
            .iter()
            .map(|t| {
                if t.is_empty() {
                    f64::NAN
                } else {
                    t.parse().expect("a number")
                }
            })
            .collect()
    }

    /// A column of ISO dates as midnights.
    pub(crate) fn times(&self, name: &str) -> Vec<Micros> {
        self.texts(name)
            .iter()
            .map(|t| papertape::market::midnight(t.parse().expect("a date")))
            .collect()
    }
}
