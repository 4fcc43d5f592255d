//! Options in an account: stories (before, what happens, the books after), the published pro-rata
//! formulas computed a second way, and what must hold for any strategy with options.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use papertape::engine::{Run, backtest};
use papertape::instrument::Right;
use papertape::market::{Action, ActionKind, Bars, Market, midnight};
use papertape::portfolio::Stream;
use papertape::pricing::{Inputs, Surface, black_scholes, surface};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::causality;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn near(a: f64, b: f64, tolerance: f64) {
    assert!(
        (a - b).abs() <= tolerance * b.abs().max(1.0),
        "{a} is not {b}"
    );
}

/// Weekdays from a day on: a calendar without holidays.
fn weekdays(from: &str, bars: usize) -> Vec<NaiveDate> {
    let mut day = date(from);
    let mut days = Vec::with_capacity(bars);
    while days.len() < bars {
        if !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            days.push(day);
        }
        day = day + Days::new(1);
    }
    days
}

/// A tape whose price is `close` all day.
fn tape(days: &[NaiveDate], close: &[f64]) -> Bars {
    let time = days.iter().map(|d| midnight(*d)).collect();
    let column = || close.to_vec();
    let volume = Some(vec![1e9; close.len()]);
    Bars::new(time, column(), column(), column(), column(), volume).expect("bars")
}

fn market(days: &[NaiveDate], close: &[f64], actions: Vec<Action>) -> Market {
    let market = Market::from_tapes(vec![("XYZ".to_string(), tape(days, close))]).expect("tape");
    market.with_actions(actions)
}

fn dividend(ex: NaiveDate, amount: f64, kind: ActionKind) -> Action {
    Action {
        symbol: "XYZ".to_string(),
        time: midnight(ex),
        kind,
        value: amount,
        pay: None,
        declared: Some(midnight(ex - Days::new(20))),
    }
}

fn parsed(text: &str) -> Strategy {
    let text = format!("[data]\nsource = \"unused\"\ncalendar = \"weekdays\"\n{text}");
    Strategy::parse(&text, "story", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn run(market: &Market, text: &str) -> Run {
    let run = backtest(market, &parsed(text)).unwrap_or_else(|e| panic!("{e}\n{text}"));
    balanced(&run);
    run
}

/// The streams of income add up to the change of equity, at every bar and at the end.
fn balanced(run: &Run) {
    let most = run.equity.iter().copied().fold(1.0, f64::max);
    assert!(run.books_error <= 1e-9 * most, "{}", run.books_error);
    let sum: f64 = run.income.iter().map(|row| row.amount).sum();
    let end = run.equity.last().copied().unwrap_or(0.0);
    near(sum, end - run.start_equity, 1e-9);
}

fn stream(run: &Run, wanted: Stream) -> f64 {
    let rows = run.income.iter().filter(|row| row.stream == wanted);
    rows.map(|row| row.amount).sum()
}

/// Names, reasons and contracts of the trades.
fn outcomes(run: &Run) -> Vec<(String, &'static str, f64)> {
    let of = |t: &papertape::portfolio::Trade| {
        (run.symbols[t.symbol].clone(), t.reason.name(), t.shares)
    };
    run.trades.iter().map(of).collect()
}

fn shipped(name: &str) -> (Market, Strategy) {
    let path = root().join("strategies").join(name);
    let strategy = Strategy::read(&path, &Overrides::default()).unwrap_or_else(|e| panic!("{e}"));
    let market = papertape::engine::read_market(&strategy, false).unwrap_or_else(|e| panic!("{e}"));
    (market, strategy)
}

#[test]
fn the_wheel_on_the_index_runs_with_books_that_balance() {
    let (market, strategy) = shipped("wheel-on-the-index.toml");
    let run = backtest(&market, &strategy).unwrap();
    balanced(&run);
    assert!(run.trades.len() > 50);
    let reasons: Vec<&str> = run.trades.iter().map(|t| t.reason.name()).collect();
    assert!(reasons.contains(&"rolled"), "{reasons:?}");
    // Cash covers the strikes of all puts that are open, at every moment: nothing is settled for
    // want of money.
    for (trade, option) in run.trades.iter().zip(&run.options.trades) {
        assert!(
            option.count * option.multiplier * option.strike <= 1.6e5,
            "{trade:?}"
        );
    }
    let found = causality(&market, &strategy, 1, None).unwrap();
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

const CALLS: &str = "\
[options]\nstructure = \"covered_call\"\npricing = { iv = 0.25, rate = 0.03 }\nstrike_step = 1\n\
[options.call]\ncycle = \"month\"\nmoneyness = 0.05\n\
[costs]\nper_contract = 0.65\n[account]\ncash = 10100\n";

/// From 100 in January 2024: three dividends of 0.50 on the way, called away at a later expiration.
#[test]
fn a_covered_call_collects_dividends_and_is_called_away_at_its_strike() {
    let days = weekdays("2024-01-08", 200);
    // It stays at 100 until May, then climbs to 120: the call of June, written at 105, is exercised.
    let close: Vec<f64> = days
        .iter()
        .map(|d| {
            if *d < date("2024-05-20") {
                100.0
            } else {
                120.0
            }
        })
        .collect();
    let actions = ["2024-02-06", "2024-05-07", "2024-08-06"]
        .map(|ex| dividend(date(ex), 0.5, ActionKind::Dividend));
    let run = run(&market(&days, &close, actions.to_vec()), CALLS);
    let called: Vec<_> = run
        .options
        .trades
        .iter()
        .filter(|t| t.outcome.is_some_and(|o| o.name() == "called"))
        .collect();
    // Ten times 100 shares would need 10,000; one contract is written on 100 of them.
    assert_eq!(called[0].count, -1.0);
    assert_eq!(called[0].strike, 105.0);
    assert_eq!(called[0].given_up, 1500.0);
    let shares = run
        .trades
        .iter()
        .find(|t| run.symbols[t.symbol] == "XYZ" && t.reason.name() == "called")
        .expect("shares are called away");
    assert_eq!(
        (shares.shares, shares.exit_price, shares.exit_fee),
        (100.0, 105.0, 0.0)
    );
    // Dividends of February and May were the holder's; afterwards there are no shares at 120.
    near(stream(&run, Stream::Dividends), 100.0, 1e-12);
    near(stream(&run, Stream::GivenUp), -1500.0, 1e-12);
    assert!(stream(&run, Stream::Premium) > 0.0);
    // The premiums, and nothing of what the strike cost, are the gross figure.
    let sold: f64 = run
        .options
        .trades
        .iter()
        .map(|t| -t.count * t.multiplier * t.prices.0)
        .sum();
    near(stream(&run, Stream::Premium), sold, 1e-12);
}

/// A call deep in the money is exercised the night before a dividend beyond its time value; the
/// dividend goes to the one who exercised. With `never_early` it is not.
#[test]
fn an_ordinary_dividend_has_calls_exercised_early() {
    let days = weekdays("2024-01-08", 60);
    let close: Vec<f64> = (0..days.len())
        .map(|i| if i < 5 { 100.0 } else { 125.0 })
        .collect();
    let ex = date("2024-02-06");
    let actions = vec![dividend(ex, 1.5, ActionKind::Dividend)];
    let market = market(&days, &close, actions);
    let text = CALLS.replace("cycle = \"month\"", "dte = [30, 45]");
    let early = run(&market, &text);
    assert_eq!(early.options.early_assignments, 1);
    near(early.options.dividends_lost, 150.0, 1e-12);
    near(stream(&early, Stream::Dividends), 0.0, 1e-12);
    let night = early
        .trades
        .iter()
        .find(|t| t.reason.name() == "called")
        .expect("called");
    assert_eq!(days[night.exit_bar], ex - Days::new(1));
    let late = run(
        &market,
        &format!("{text}[options.fill]\nassignment = \"never_early\"\n"),
    );
    assert_eq!(late.options.early_assignments, 0);
    near(stream(&late, Stream::Dividends), 150.0, 1e-12);
}

/// A special dividend is the holder's, lowers the strike and has nobody exercise.
#[test]
fn a_special_dividend_lowers_the_strike_and_forces_nothing() {
    let days = weekdays("2024-01-08", 60);
    let ex = date("2024-02-06");
    let close: Vec<f64> = days
        .iter()
        .map(|d| match () {
            () if *d < date("2024-01-15") => 100.0,
            () if *d < ex => 115.0,
            () => 112.0,
        })
        .collect();
    let special = vec![dividend(ex, 3.0, ActionKind::SpecialDividend)];
    let text = CALLS.replace("cycle = \"month\"", "dte = [30, 45]");
    let run = run(&market(&days, &close, special), &text);
    assert_eq!(run.options.early_assignments, 0);
    near(stream(&run, Stream::Dividends), 300.0, 1e-12);
    let called = run
        .trades
        .iter()
        .find(|t| {
            t.reason.name() == "called" && t.shares == 100.0 && run.symbols[t.symbol] == "XYZ"
        })
        .expect("called");
    assert_eq!(called.exit_price, 102.0, "the strike of 105 less 3");
}

/// Seven new shares for one old: seven contracts at a seventh of the strike, and the same equity.
#[test]
fn a_split_multiplies_contracts_and_divides_strikes() {
    let days = weekdays("2024-01-08", 40);
    let split = date("2024-01-24");
    let close: Vec<f64> = days
        .iter()
        .map(|d| if *d < split { 700.0 } else { 100.0 })
        .collect();
    let action = Action {
        symbol: "XYZ".to_string(),
        time: midnight(split),
        kind: ActionKind::Split,
        value: 7.0,
        pay: None,
        declared: None,
    };
    let text = CALLS
        .replace("10100", "71000")
        .replace("strike_step = 1", "strike_step = 7")
        .replace("cycle = \"month\"", "dte = [30, 45]");
    let run = run(&market(&days, &close, vec![action]), &text);
    let first = &run.options.trades[0];
    assert_eq!(
        (first.count, first.strike, first.sale.strike),
        (-7.0, 105.0, 735.0)
    );
    let at = days.iter().position(|d| *d == split).unwrap();
    // Nothing but a day of time value and interest changes on the day of the split.
    near(run.equity[at], run.equity[at - 1], 2e-3);
    assert!(first.outcome.is_some_and(|o| o.name() == "expired"));
}

/// A put is assigned at its strike; the calls on these shares are not written below it, and the wheel
/// turns until they are called away.
#[test]
fn a_wheel_is_assigned_and_writes_calls_not_below_its_basis() {
    let days = weekdays("2024-01-08", 120);
    let close: Vec<f64> = days
        .iter()
        .map(|d| match () {
            () if *d < date("2024-02-01") => 100.0,
            () if *d < date("2024-04-01") => 90.0,
            () => 103.0,
        })
        .collect();
    let text = "[options]\nstructure = \"wheel\"\npricing = { iv = 0.25, rate = 0.03 }\nstrike_step = 1\n\
         [options.put]\ncycle = \"month\"\nmoneyness = 0.02\n\
         [options.call]\ncycle = \"month\"\nmoneyness = 0.02\nstrike_at_least = \"basis\"\n\
         [account]\ncash = 10000\n[costs]\nper_contract = 0.65\n";
    let run = run(&market(&days, &close, Vec::new()), text);
    let names = outcomes(&run);
    let assigned = run
        .trades
        .iter()
        .find(|t| t.reason.name() == "assigned")
        .expect("assigned");
    assert!(
        run.symbols[assigned.symbol].contains("P00098000"),
        "{names:?}"
    );
    let shares = run
        .trades
        .iter()
        .find(|t| run.symbols[t.symbol] == "XYZ")
        .expect("shares");
    assert_eq!(shares.entry_price, 98.0);
    let calls: Vec<f64> = run
        .options
        .trades
        .iter()
        .filter(|t| run.options.contracts[t.contract].contains('C'))
        .map(|t| t.strike)
        .collect();
    assert!(
        !calls.is_empty() && calls.iter().all(|k| *k >= 98.0),
        "{calls:?}"
    );
    assert_eq!(shares.reason.name(), "called");
    // A put cannot be written on cash that stands behind another: at most one is open at a time.
    let puts = run
        .options
        .trades
        .iter()
        .filter(|t| run.options.contracts[t.contract].contains('P'));
    let spans: Vec<(usize, usize)> = puts.map(|t| t.bars).collect();
    assert!(spans.windows(2).all(|w| w[0].1 <= w[1].0), "{spans:?}");
}

/// Cash behind a put buys nothing else, and earns interest all the same.
#[test]
fn cash_behind_a_put_is_reserved_and_earns() {
    let days = weekdays("2024-01-08", 30);
    let close = vec![100.0; days.len()];
    let text = "[rules]\nenter = \"close > 0\"\n[size]\nmethod = \"cash\"\nvalue = 5000\n\
         [options]\nstructure = \"cash_secured_put\"\npricing = { iv = 0.25 }\nstrike_step = 1\n\
         [options.put]\ncycle = \"month\"\nmoneyness = 0.02\n\
         [account]\ncash = 10100\n[costs]\nper_contract = 0.65\n[cash]\nyield = 0.05\n";
    let run = run(&market(&days, &close, Vec::new()), text);
    // The put is written at the first close, before the shares could be bought at the next open.
    assert!(run.options.trades.iter().all(|t| t.count == -1.0));
    let bought: f64 = run
        .trades
        .iter()
        .filter(|t| run.symbols[t.symbol] == "XYZ")
        .map(|t| t.shares)
        .sum();
    assert!(bought * 100.0 < 10_500.0 - 9_800.0, "{bought}");
    assert!(stream(&run, Stream::Interest) > 20.0);
}

/// A published index computed by its own formula, a loop of a few lines beside the engine.
struct Reference {
    dates: Vec<NaiveDate>,
    close: Vec<f64>,
    volatility: Vec<f64>,
    median: Vec<f64>,
}

const RATE: f64 = 0.02;
const YIELD: f64 = 0.019;

impl Reference {
    fn new() -> Self {
        let read = |name: &str, column: &str| -> Vec<(NaiveDate, f64)> {
            let path = root().join("data/indices").join(name);
            let mut reader = csv::Reader::from_path(path).unwrap();
            let headers = reader.headers().unwrap().clone();
            let at = headers
                .iter()
                .position(|h| h.eq_ignore_ascii_case(column))
                .unwrap();
            let rows = reader.records().map(|row| {
                let row = row.unwrap();
                (date(&row[0]), row[at].parse().unwrap())
            });
            rows.collect()
        };
        let vix = read("VIX.csv", "close");
        let (from, to) = (date("2014-01-03"), date("2018-11-30"));
        let spx = read("SPX.csv", "close");
        let spx: Vec<(NaiveDate, f64)> = spx
            .into_iter()
            .filter(|(d, _)| (from..=to).contains(d))
            .collect();
        let level = |day: NaiveDate| {
            let after = vix.partition_point(|(d, _)| *d <= day);
            vix[after - 1].1 / 100.0
        };
        let volatility: Vec<f64> = spx.iter().map(|(d, _)| level(*d)).collect();
        Reference {
            median: surface::expanding_median_variance(&volatility),
            volatility,
            dates: spx.iter().map(|(d, _)| *d).collect(),
            close: spx.iter().map(|(_, c)| *c).collect(),
        }
    }

    /// The next third Friday of one of `months`, or the session before it.
    fn expiration(&self, t: usize, months: &[u32]) -> NaiveDate {
        let mut day = self.dates[t] + Days::new(1);
        loop {
            let third = day.weekday() == Weekday::Fri && (15..=21).contains(&day.day());
            if third && months.contains(&day.month()) {
                let is_shut = day <= self.dates[self.dates.len() - 1] && !self.dates.contains(&day);
                let session = if is_shut { day - Days::new(1) } else { day };
                if session > self.dates[t] {
                    return session;
                }
            }
            day = day + Days::new(1);
        }
    }

    fn valuation(&self, t: usize, right: Right, strike: f64, expiration: NaiveDate) -> (f64, f64) {
        let years = (expiration - self.dates[t]).num_days() as f64 / 365.0;
        let spot = self.close[t];
        if years <= 0.0 {
            return (right.intrinsic(spot, strike), f64::NAN);
        }
        let inputs = Inputs {
            right,
            spot,
            strike,
            years,
            rate: RATE.ln_1p(),
            dividend_yield: YIELD,
        };
        let level = surface::at_term(self.volatility[t], self.median[t], years);
        let sigma = Surface::INDEX.volatility(level, inputs.forward(), strike, years);
        let value = black_scholes::value(&inputs, sigma);
        (value.price, value.delta)
    }

    fn price(&self, t: usize, right: Right, strike: f64, expiration: NaiveDate) -> f64 {
        self.valuation(t, right, strike, expiration).0
    }

    fn years(&self, t: usize) -> f64 {
        (self.dates[t] - self.dates[t - 1]).num_days() as f64 / 365.0
    }

    fn dividend(&self, t: usize) -> f64 {
        self.close[t - 1] * YIELD * self.years(t)
    }

    /// V_t = V_{t-1} (S_t + D_t - C_t) / (S_{t-1} - C_{t-1}), with a strike rule.
    fn buy_write(&self, strike: impl Fn(usize, NaiveDate) -> f64) -> Vec<f64> {
        let every: Vec<u32> = (1..=12).collect();
        let mut values = vec![1.0];
        let mut expiration = self.expiration(0, &every);
        let mut k = strike(0, expiration);
        let mut call = self.price(0, Right::Call, k, expiration);
        for t in 1..self.dates.len() {
            let now = self.price(t, Right::Call, k, expiration);
            let growth = (self.close[t] + self.dividend(t) - now) / (self.close[t - 1] - call);
            values.push(values[t - 1] * growth);
            call = now;
            if self.dates[t] >= expiration {
                expiration = self.expiration(t, &every);
                k = strike(t, expiration);
                call = self.price(t, Right::Call, k, expiration);
            }
        }
        values
    }

    /// N = V / (K exp(-rT) - P), all money in bills.
    fn put_write(&self) -> Vec<f64> {
        let every: Vec<u32> = (1..=12).collect();
        let below = |t: usize| (self.close[t] / 5.0).floor() * 5.0;
        let mut values = vec![1.0];
        let (mut money, mut count, mut k, mut expiration) = (0.0, 0.0, 0.0, self.dates[0]);
        for t in 0..self.dates.len() {
            if t > 0 {
                money *= (RATE.ln_1p() * self.years(t)).exp();
                values.push(money - count * self.price(t, Right::Put, k, expiration));
            }
            if self.dates[t] >= expiration {
                expiration = self.expiration(t, &every);
                k = below(t);
                let premium = self.price(t, Right::Put, k, expiration);
                let years = (expiration - self.dates[t]).num_days() as f64 / 365.0;
                count = values[t] / (k * (-RATE.ln_1p() * years).exp() - premium);
                money = values[t] + count * premium;
            }
        }
        values
    }

    /// A put 5% down on the March cycle, a call 10% up every month; the put is replaced when a new call
    /// lies below it.
    fn collar(&self) -> Vec<f64> {
        let every: Vec<u32> = (1..=12).collect();
        let march = [3, 6, 9, 12];
        let put_strike = |t: usize| (self.close[t] * 0.95 / 5.0 + 1e-9).floor() * 5.0;
        let mut values = vec![1.0];
        let mut call = (0.0, self.dates[0]);
        let mut put = (0.0, self.dates[0]);
        let mut unit = f64::NAN;
        for t in 0..self.dates.len() {
            let of = |right: Right, (k, expiration): (f64, NaiveDate)| {
                self.price(t, right, k, expiration)
            };
            if t > 0 {
                let now =
                    self.close[t] + self.dividend(t) + of(Right::Put, put) - of(Right::Call, call);
                values.push(values[t - 1] * now / unit);
            }
            let calls_end = self.dates[t] >= call.1;
            if calls_end {
                let strike = (self.close[t] * 1.1 / 5.0 - 1e-9).ceil() * 5.0;
                call = (strike, self.expiration(t, &every));
            }
            if self.dates[t] >= put.1 || (calls_end && call.0 < put.0) {
                put = (put_strike(t), self.expiration(t, &march));
            }
            unit = self.close[t] + of(Right::Put, put) - of(Right::Call, call);
        }
        values
    }
}

fn index_units(structure: &str, legs: &str) -> Vec<f64> {
    let text = format!(
        "[data]\nsource = \"{root}/data/indices\"\nsymbols = [\"SPX\"]\nstart = 2014-01-03\nend = 2018-11-30\n\
         dividend_yield = {YIELD}\n[options]\nstructure = \"{structure}\"\nunits = \"index\"\nstrike_step = 5\n\
         pricing = {{ iv = \"{root}/data/indices/VIX.csv\", rate = {RATE} }}\n\
         contract = {{ style = \"european\", settlement = \"cash\" }}\nfill = {{ price = \"mid\" }}\n{legs}\
         [cash]\nyield = {RATE}\n[costs]\npreset = \"none\"\n",
        root = root().display()
    );
    let strategy = Strategy::parse(&text, "index", root(), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}"));
    let market = papertape::engine::read_market(&strategy, false).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    balanced(&run);
    run.equity.iter().map(|e| e / run.start_equity).collect()
}

fn same(ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    for (t, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= 1e-7 * b, "bar {t}: {a} is not {b}");
    }
}

#[test]
fn pro_rata_units_are_the_published_formulas() {
    let reference = Reference::new();
    let above = |times: f64| {
        let close = reference.close.clone();
        move |t: usize, _: NaiveDate| (close[t] * times / 5.0 - 1e-9).ceil() * 5.0
    };
    let month = "[options.call]\ncycle = \"month\"\n";
    let ours = index_units("covered_call", &format!("{month}strike = \"atm_above\"\n"));
    same(&ours, &reference.buy_write(above(1.0)));
    let ours = index_units("covered_call", &format!("{month}moneyness = 0.02\n"));
    same(&ours, &reference.buy_write(above(1.02)));
    let thirty = |t: usize, expiration: NaiveDate| {
        let near = (reference.close[t] / 5.0) as i32;
        let away = |k: &f64| {
            let (_, delta) = reference.valuation(t, Right::Call, *k, expiration);
            (delta - 0.3).abs()
        };
        let strikes = (near - 50..near + 80).map(|n| f64::from(n) * 5.0);
        strikes.min_by(|a, b| away(a).total_cmp(&away(b))).unwrap()
    };
    let ours = index_units("covered_call", &format!("{month}delta = 0.30\n"));
    same(&ours, &reference.buy_write(thirty));
    let puts = "[options.put]\ncycle = \"month\"\nstrike = \"atm_below\"\n";
    same(
        &index_units("cash_secured_put", puts),
        &reference.put_write(),
    );
    let both = "[options.call]\ncycle = \"month\"\nmoneyness = 0.1\n\
                [options.put]\ncycle = \"quarter\"\nmoneyness = 0.05\n";
    same(&index_units("collar", both), &reference.collar());
}
