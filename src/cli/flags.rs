//! Flags that several verbs take: which data, which days, which keys of the strategy differ.

use chrono::NaiveDate;
use papertape::strategy::Overrides;
use std::path::PathBuf;

/// What overrides a strategy file: a flag wins over the file, the file over the default.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Flags over the strategy file")]
pub(crate) struct StrategyFlags {
    /// Data file or folder, instead of `[data] source`
    #[arg(long, value_name = "SOURCE")]
    pub(crate) data: Option<PathBuf>,
    /// First day of the simulation, instead of `[data] start`
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    pub(crate) start: Option<NaiveDate>,
    /// Last day of the simulation, instead of `[data] end`
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    pub(crate) end: Option<NaiveDate>,
    /// Any key of the strategy file, for example `stops.stop=0.05`
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// Which column of the data is meant, for example `close=Last`
    #[arg(long, value_name = "OURS=THEIRS", value_parser = pair, value_delimiter = ',')]
    pub(crate) columns: Vec<(String, String)>,
    /// Read the days that `[walk_forward] holdout` seals; this is recorded
    #[arg(long)]
    pub(crate) open_holdout: bool,
}

impl StrategyFlags {
    /// As the library takes them.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            set: self.set.clone(),
            data: self.data.clone(),
            start: self.start,
            end: self.end,
            columns: self.columns.clone(),
            open_holdout: self.open_holdout,
        }
    }
}

/// An ISO date.
pub(crate) fn date(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| "expected a day as YYYY-MM-DD, for example 2004-08-19".to_owned())
}

/// Two words around the first `=`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    around_equals(text).ok_or_else(|| {
        "expected two words around an equals sign, for example stops.stop=0.05".to_owned()
    })
}

/// A key and the values that it takes, around the first `=`.
pub(crate) fn axis(text: &str) -> Result<(String, String), String> {
    around_equals(text).ok_or_else(|| {
        "expected a key and its values, for example period=5..30:5 or low=20,25,30".to_owned()
    })
}

fn around_equals(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    (!key.is_empty() && !value.is_empty()).then(|| (key.to_owned(), value.to_owned()))
}
