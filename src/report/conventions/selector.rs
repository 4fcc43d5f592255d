//! `[rank]` and `[weights]` in words.

use crate::report::figure;
use crate::strategy::{
    Every, Hold, Mix, Rank, RankWeight, Refuge, ScheduleDay, Strategy, WeightMethod, Weights,
};

/// What is held, by which number, and when it is decided again.
pub(super) fn in_words(strategy: &Strategy) -> Vec<(&'static str, String)> {
    match (&strategy.rank, &strategy.weights) {
        (Some(rank), _) => of_rank(rank),
        (_, Some(weights)) => of_weights(weights),
        (None, None) => Vec::new(),
    }
}

fn of_rank(rank: &Rank) -> Vec<(&'static str, String)> {
    let best = match rank.hold {
        Hold::Count(1) => "the highest".to_string(),
        Hold::Count(n) => format!("the {n} highest"),
        Hold::Quantile(share) => format!("the highest {}", figure::given_percent(share)),
    };
    let mut hold = vec![best];
    if rank.shorts() {
        hold.push(format!("the {} lowest sold short", rank.short_hold));
    }
    hold.push(match rank.weight {
        RankWeight::Equal => "each with the same weight".to_string(),
        RankWeight::Score => "weighed by score".to_string(),
        RankWeight::InverseVol => format!("weighed by 1 / {}", rank.volatility.text),
        RankWeight::Rank => "weighed by rank".to_string(),
    });
    if rank.buffer > 0 {
        hold.push(format!("kept while within {} places more", rank.buffer));
    }
    if !rank.reweight {
        hold.push("holdings are left as they are".to_string());
    }
    let refuge = match &rank.refuge {
        Refuge::Cash => "cash",
        Refuge::Symbol(symbol) => symbol,
    };
    let absolute = match &rank.absolute {
        Some(text) => format!("{}, else into {refuge}", text.text),
        None if rank.refuge != Refuge::Cash => format!("always, empty slots into {refuge}"),
        None => String::new(),
    };
    let of_all = rank.condition.as_ref();
    vec![
        ("Score", rank.score.text.clone()),
        ("Where", of_all.map_or(String::new(), |c| c.text.clone())),
        ("Hold", hold.join(", ")),
        ("If", absolute),
        ("Every", period(rank.every).to_string()),
    ]
}

fn of_weights(weights: &Weights) -> Vec<(&'static str, String)> {
    let window = weights.window;
    let targets = match &weights.mix {
        Mix::Targets(targets) => {
            let share =
                |(symbol, w): &(String, f64)| format!("{symbol} {}", figure::given_percent(*w));
            targets.iter().map(share).collect::<Vec<_>>().join(", ")
        }
        Mix::Method(WeightMethod::Equal) => "the same for all".to_string(),
        Mix::Method(WeightMethod::InverseVol) => format!("by 1 / volatility of {window} bars"),
        Mix::Method(WeightMethod::RiskParity) => {
            format!("equal contributions to the variance of {window} bars")
        }
        Mix::Method(WeightMethod::MinVariance) => {
            format!("the least variance over {window} bars, long only")
        }
    };
    let mut drift = Vec::new();
    if let Some(most) = weights.drift_abs {
        drift.push(format!("{} of equity", figure::given_percent(most)));
    }
    if let Some(most) = weights.drift_rel {
        drift.push(format!("{} of the target", figure::given_percent(most)));
    }
    let mut drift = drift.join(" or ");
    if !drift.is_empty() {
        let toward = if weights.toward_band {
            "its band"
        } else {
            "target"
        };
        drift = format!("beyond {drift}, back to {toward}");
    }
    let least = match weights.min_trade > 0.0 {
        true => format!("trades below {}", figure::money(weights.min_trade)),
        false => String::new(),
    };
    let every = match weights.every {
        Some(every) => period(every),
        None if weights.watches_drift() => "",
        None => "bought once",
    };
    vec![
        ("Weights", targets),
        ("Every", every.to_string()),
        ("Drift", drift),
        ("Without", least),
    ]
}

fn period(every: Every) -> &'static str {
    match every {
        Every::Bar => "bar",
        Every::Day => "day",
        Every::Week => "week",
        Every::Month => "month",
        Every::Quarter => "quarter",
        Every::Year => "year",
    }
}

/// When the strategy decides.
pub(super) fn decided(strategy: &Strategy) -> String {
    let (every, day) = match (&strategy.rank, &strategy.weights) {
        (Some(rank), _) => (rank.every, rank.day),
        (_, Some(weights)) => match weights.every {
            Some(every) => (every, weights.day),
            None if weights.watches_drift() => return "watched at each close".to_string(),
            None => return "decided once".to_string(),
        },
        (None, None) => (strategy.rules.every, ScheduleDay::Last),
    };
    if every == Every::Bar {
        return "decided at each close".to_string();
    }
    let period = period(every);
    match day {
        ScheduleDay::First => format!("decided at the close of the {period}'s first session"),
        ScheduleDay::Last => format!("decided at the {period}'s last close"),
        ScheduleDay::Nth(n) => {
            format!("decided at the first close from day {n} of the {period} on")
        }
    }
}
