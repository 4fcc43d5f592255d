//! What a model learned, as words, JSON and `fits.csv`: one row a fit. Formatting only.

use crate::learning::Score;
use crate::market::{Learned, LearnedFit, date_of};
use crate::report::{cell, figure};
use crate::study::Learning;
use serde_json::{Value, json};

/// The columns of `fits.csv` before those of the features: `weight:` and the feature's text, then
/// `correlation:` and the same.
pub const FIT_COLUMNS: [&str; 14] = [
    "refit",
    "until",
    "first_row",
    "last_row",
    "rows",
    "without_value",
    "setting",
    "in_sample_r2",
    "in_sample_ic",
    "in_sample_log_loss",
    "out_of_sample_rows",
    "out_of_sample_r2",
    "out_of_sample_ic",
    "out_of_sample_log_loss",
];

/// One feature over all fits.
pub struct Feature<'a> {
    /// Its text.
    pub name: &'a str,
    /// Mean of its weight over the fits.
    pub weight: String,
    /// Share of the fits in which its weight had the sign of the mean; empty for trees.
    pub same_sign: String,
}

/// The fits as CSV.
pub fn csv(learned: &Learned, intraday: bool) -> Vec<u8> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let of = |what: &str, feature: &String| format!("{what}:{feature}");
    let weights = learned.features.iter().map(|f| of("weight", f));
    let correlations = learned.features.iter().map(|f| of("correlation", f));
    let columns = FIT_COLUMNS.map(String::from).into_iter();
    let header: Vec<String> = columns.chain(weights).chain(correlations).collect();
    // Writing to memory cannot fail.
    let _ = writer.write_record(&header);
    for fit in &learned.fits {
        let _ = writer.write_record(row(fit, intraday));
    }
    writer.into_inner().unwrap_or_default()
}

fn row(fit: &LearnedFit, intraday: bool) -> Vec<String> {
    let moment = |time| cell::moment(time, intraday);
    let scores = |score: &Score| {
        [score.r2, score.ic, score.log_loss].map(|x| x.map_or(String::new(), cell::number))
    };
    let mut cells = vec![
        moment(fit.refit),
        moment(fit.until),
        moment(fit.rows.0),
        moment(fit.rows.1),
        fit.in_sample.rows.to_string(),
        fit.without_value.to_string(),
        cell::number(fit.setting),
    ];
    cells.extend(scores(&fit.in_sample));
    cells.push(fit.out_of_sample.rows.to_string());
    cells.extend(scores(&fit.out_of_sample));
    let figures = fit.weights.iter().chain(&fit.correlations);
    cells.extend(figures.map(|x| cell::number(*x)));
    cells
}

/// Questions and answers about the model.
pub fn in_words(learning: &Learning) -> Vec<(&'static str, String)> {
    let record = &learning.record;
    let learner = record.learner.replace('_', " ");
    let features = figure::plural(record.features.len(), "feature", "features");
    let mut words = vec![(
        "Forecast",
        format!("{} by {learner} of {features}", learning.target),
    )];
    if let (Some(first), Some(last)) = (record.fits.first(), record.fits.last()) {
        let (smallest, largest) = rows(record);
        words.push((
            "Fits",
            format!(
                "{}, from {} to {}, each on {} to {} rows that end {} before it",
                figure::grouped(record.fits.len() as f64, 0),
                date_of(first.refit),
                date_of(last.refit),
                figure::grouped(smallest as f64, 0),
                figure::grouped(largest as f64, 0),
                figure::plural(record.purge as usize, "bar", "bars"),
            ),
        ));
    }
    words.push((
        "In sample",
        format!(
            "{}, on average of the fits",
            score_words(&in_sample(record))
        ),
    ));
    let score = &record.out_of_sample;
    let rows = figure::plural(score.rows, "row", "rows");
    words.push((
        "Out of sample",
        format!("{}, on {rows}", score_words(score)),
    ));
    words
}

/// Fewest and most rows of a fit.
fn rows(record: &Learned) -> (usize, usize) {
    let rows = record.fits.iter().map(|fit| fit.in_sample.rows);
    let smallest = rows.clone().min().unwrap_or(0);
    (smallest, rows.max().unwrap_or(0))
}

/// Means of the fits' scores on their own rows.
fn in_sample(record: &Learned) -> Score {
    let mean = |of: &dyn Fn(&Score) -> Option<f64>| {
        let known: Vec<f64> = record
            .fits
            .iter()
            .filter_map(|f| of(&f.in_sample))
            .collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    Score {
        rows: record.fits.iter().map(|fit| fit.in_sample.rows).sum(),
        r2: mean(&|s| s.r2),
        ic: mean(&|s| s.ic),
        log_loss: mean(&|s| s.log_loss),
    }
}

fn score_words(score: &Score) -> String {
    let mut words = Vec::new();
    if let Some(r2) = score.r2 {
        words.push(format!("R2 {r2:.4}"));
    }
    if let Some(loss) = score.log_loss {
        words.push(format!("log loss {loss:.4}"));
    }
    words.push(match score.ic {
        Some(ic) => format!("correlation with what came {ic:.3}"),
        None => "forecasts that never vary".to_owned(),
    });
    words.join(", ")
}

/// The scores in one line.
pub fn headline(learning: &Learning) -> String {
    let record = &learning.record;
    format!(
        "out of sample {}; in sample {}",
        score_words(&record.out_of_sample),
        score_words(&in_sample(record))
    )
}

/// What the weights of a learner are.
pub fn weight_name(learning: &Learning) -> &'static str {
    match learning.record.learner {
        "boosted_trees" => "importance",
        _ => "weight a stdev",
    }
}

/// The features with their mean weights.
pub fn features(learning: &Learning) -> Vec<Feature<'_>> {
    let record = &learning.record;
    let fits = record.fits.len().max(1) as f64;
    let feature = |(k, name)| {
        let weights = || {
            record
                .fits
                .iter()
                .map(move |fit: &LearnedFit| fit.weights[k])
        };
        let mean = weights().sum::<f64>() / fits;
        let alike = weights().filter(|w| w * mean > 0.0).count() as f64;
        let is_signed = record.learner != "boosted_trees";
        Feature {
            name,
            weight: format!("{mean:.5}"),
            same_sign: match is_signed {
                true => format!("{:.0}%", 100.0 * alike / fits),
                false => String::new(),
            },
        }
    };
    record
        .features
        .iter()
        .map(String::as_str)
        .enumerate()
        .map(feature)
        .collect()
}

/// The three equities at the end: who, how much, and a remark.
pub fn equities(learning: &Learning) -> Vec<(String, f64, String)> {
    let coins = learning.coin_equities.len();
    vec![
        (
            "Equity with the model".to_owned(),
            learning.end_equity,
            String::new(),
        ),
        (
            format!("with {} alone", learning.feature),
            learning.feature_equity,
            "best in sample".to_owned(),
        ),
        (
            "with a coin".to_owned(),
            learning.coin_median(),
            format!(
                "median of {coins}, {} of them below the model",
                learning.coins_beaten()
            ),
        ),
    ]
}

/// The model as JSON.
pub fn object(learning: &Learning) -> Value {
    let record = &learning.record;
    let score = |score: &Score| json!({ "rows": score.rows, "r2": score.r2, "ic": score.ic, "log_loss": score.log_loss });
    let fits = record.fits.len().max(1) as f64;
    let weights = record.features.iter().enumerate().map(|(k, name)| {
        let sum: f64 = record.fits.iter().map(|fit| fit.weights[k]).sum();
        (name.clone(), json!(sum / fits))
    });
    json!({
        "target": learning.target,
        "learner": record.learner,
        "features": record.features,
        "horizon": record.horizon,
        "purge": record.purge,
        "fits": record.fits.len(),
        "fits_missing": record.not_made,
        "in_sample": score(&in_sample(record)),
        "out_of_sample": score(&record.out_of_sample),
        "weights": Value::Object(weights.collect()),
        "end_equity": learning.end_equity,
        "best_feature": learning.feature,
        "best_feature_end_equity": learning.feature_equity,
        "coin_end_equity": learning.coin_median(),
        "coins": learning.coin_equities.len(),
        "coins_beaten": learning.coins_beaten(),
    })
}
