//! Lots, wash sales and yearly taxes told as stories in the manner of a ledger, and what must hold
//! for any of them.

use chrono::{Datelike, NaiveDate};
use papertape::engine::{Run, backtest};
use papertape::execution::Side;
use papertape::market::{Action, ActionKind, Bars, Market, midnight};
use papertape::portfolio::{EntryKind, Lot, Realized, TaxBook, TaxEvent, YearTax};
use papertape::strategy::{Overrides, Strategy};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::strategy::Strategy as PropStrategy;
use std::path::Path;

const RATES: &str =
    "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\ndividend_rate = 0.2\ninterest_rate = 0.4\n";

pub(crate) fn strategy(text: &str) -> Strategy {
    let text = format!("[rules]\nenter = \"close > 0\"\n{text}");
    Strategy::parse(&text, "taxed", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{a} is not {b}");
}

/// A book with the position of each layer and slot, so that fills know what they close.
struct Story {
    book: TaxBook,
    held: Vec<Vec<f64>>,
}

impl Story {
    /// Two layers that trade A, B and C, under [`RATES`] and further keys of `[tax]`.
    fn new(keys: &str) -> Self {
        let tax = strategy(&format!("{RATES}{keys}")).tax.expect("taxes");
        Story {
            book: TaxBook::new(&tax, &["A", "B", "C"], 2),
            held: vec![vec![0.0; 3]; 2],
        }
    }

    fn trade(&mut self, date: &str, layer: usize, slot: usize, shares: f64, price: f64) {
        self.trade_with_fee(day(date), (layer, slot), shares, price, 0.0);
    }

    fn trade_with_fee(
        &mut self,
        day: NaiveDate,
        (layer, slot): (usize, usize),
        shares: f64,
        price: f64,
        fee: f64,
    ) {
        let held = &mut self.held[layer][slot];
        let against = *held * shares < 0.0;
        let closing = if against {
            shares.abs().min(held.abs())
        } else {
            0.0
        };
        let closes_all = closing == held.abs();
        *held = if closes_all && against {
            if shares.abs() > closing {
                shares + *held
            } else {
                0.0
            }
        } else {
            *held + shares
        };
        let event = TaxEvent::Fill {
            slot,
            side: if shares > 0.0 { Side::Buy } else { Side::Sell },
            closing,
            opening: shares.abs() - closing,
            value: shares.abs() * price,
            fee,
            closes_all,
            is_harvest: false,
        };
        self.book.observe(day, layer, &event);
    }

    fn buy(&mut self, date: &str, slot: usize, shares: f64, price: f64) {
        self.trade(date, 0, slot, shares, price);
    }

    fn sell(&mut self, date: &str, slot: usize, shares: f64, price: f64) {
        self.trade(date, 0, slot, -shares, price);
    }

    fn last(&self) -> &Realized {
        self.book.realized().last().expect("a sale")
    }

    fn lots(&self, slot: usize) -> &[Lot] {
        self.book.lots(0, slot)
    }

    fn year(&self, year: i32) -> YearTax {
        *self.book.years(year).last().expect("a year")
    }
}

#[test]
fn one_sale_takes_two_lots_and_each_has_its_character() {
    let mut s = Story::new("");
    s.buy("2020-01-02", 0, 100.0, 10.0);
    s.buy("2020-12-01", 0, 100.0, 20.0);
    s.sell("2021-01-04", 0, 150.0, 30.0);
    let [first, second] = s.book.realized() else {
        panic!("two pieces")
    };
    assert!(first.is_long_term && !second.is_long_term);
    near(first.gain, 2_000.0);
    near(second.gain, 500.0);
    near(s.lots(0)[0].shares, 50.0);
    near(s.lots(0)[0].basis, 1_000.0);
    let year = s.year(2021);
    near(year.sums.long, 2_000.0);
    near(year.sums.short, 500.0);
    near(year.tax, 2_000.0 * 0.1 + 500.0 * 0.3);
}

#[test]
fn long_is_after_the_same_date_a_year_later() {
    for (bought, sold, is_long) in [
        ("2020-03-10", "2021-03-10", false),
        ("2020-03-10", "2021-03-11", true),
        // The 29th of February is the 28th in a year without one.
        ("2020-02-29", "2021-02-28", false),
        ("2020-02-29", "2021-03-01", true),
        ("2019-02-28", "2020-02-28", false),
        ("2019-02-28", "2020-02-29", true),
    ] {
        let mut s = Story::new("");
        s.buy(bought, 0, 1.0, 10.0);
        s.sell(sold, 0, 1.0, 11.0);
        assert_eq!(s.last().is_long_term, is_long, "{bought} to {sold}");
    }
    let mut s = Story::new("long_after_years = 2\n");
    s.buy("2020-03-10", 0, 2.0, 10.0);
    s.sell("2022-03-10", 0, 1.0, 11.0);
    assert!(!s.last().is_long_term);
    s.sell("2022-03-11", 0, 1.0, 11.0);
    assert!(s.last().is_long_term);
}

#[test]
fn each_rule_takes_its_lot() {
    // At 20: the first lot gains 10 long, the second loses 5, the third gains 2 short.
    for (rule, basis) in [
        ("fifo", 10.0),
        ("lifo", 18.0),
        ("hifo", 25.0),
        ("min_tax", 25.0),
    ] {
        let mut s = Story::new(&format!("lots = \"{rule}\"\n"));
        s.buy("2020-01-02", 0, 10.0, 10.0);
        s.buy("2021-03-01", 0, 10.0, 25.0);
        s.buy("2021-06-01", 0, 10.0, 18.0);
        s.sell("2021-09-01", 0, 10.0, 20.0);
        near(s.last().basis, 10.0 * basis);
    }
    // 10 a share at 10% is less than 4 at 30%, though it is the larger gain.
    let mut s = Story::new("lots = \"min_tax\"\n");
    s.buy("2020-01-02", 0, 10.0, 10.0);
    s.buy("2021-03-01", 0, 10.0, 16.0);
    s.sell("2021-09-01", 0, 10.0, 20.0);
    near(s.last().basis, 100.0);
    near(s.year(2021).tax, 10.0);
}

#[test]
fn fees_belong_to_basis_and_proceeds() {
    let mut s = Story::new("");
    s.trade_with_fee(day("2020-01-02"), (0, 0), 10.0, 10.0, 3.0);
    s.trade_with_fee(day("2020-02-03"), (0, 0), -10.0, 12.0, 2.0);
    near(s.last().basis, 103.0);
    near(s.last().proceeds, 118.0);
    near(s.year(2020).tax, 15.0 * 0.3);
}

#[test]
fn a_wash_sale_is_partial_by_shares_and_moves_loss_and_holding_period() {
    let mut s = Story::new("");
    s.buy("2020-01-02", 0, 100.0, 50.0);
    s.sell("2020-06-01", 0, 100.0, 40.0);
    near(s.year(2020).sums.short, -1_000.0);
    // Forty of a hundred are bought back on the last day of the window: 151 days had been held.
    s.buy("2020-07-01", 0, 40.0, 42.0);
    near(s.last().disallowed, 400.0);
    near(s.year(2020).sums.short, -600.0);
    let lot = &s.lots(0)[0];
    near(lot.basis, 40.0 * 42.0 + 400.0);
    near(lot.deferred, 400.0);
    assert_eq!(lot.bought, day("2020-07-01"));
    assert_eq!((lot.bought - lot.held_since).num_days(), 151);
    // 2020-02-01 on counts: the sale a year after that day is long, and the loss comes back.
    s.sell("2021-02-02", 0, 40.0, 42.0);
    assert!(s.last().is_long_term);
    near(s.last().gain, -400.0);
    near(s.last().deferred, 400.0);
}

#[test]
fn the_window_ends_on_the_thirtieth_day_either_side() {
    for (bought_again, disallowed) in [
        ("2020-04-01", 0.0),
        ("2020-05-01", 0.0),
        ("2020-05-02", 100.0),
        ("2020-06-01", 100.0),
        ("2020-07-01", 100.0),
        ("2020-07-02", 0.0),
    ] {
        let mut s = Story::new("lots = \"fifo\"\n");
        s.buy("2020-01-02", 0, 10.0, 50.0);
        let is_before = day(bought_again) < day("2020-06-01");
        if is_before {
            s.buy(bought_again, 0, 10.0, 45.0);
        }
        s.sell("2020-06-01", 0, 10.0, 40.0);
        if !is_before {
            s.buy(bought_again, 0, 10.0, 45.0);
        }
        near(s.book.realized()[0].disallowed, disallowed);
    }
    let mut s = Story::new("wash_window_days = 0\n");
    s.buy("2020-01-02", 0, 20.0, 50.0);
    s.sell("2020-06-01", 0, 20.0, 40.0);
    s.buy("2020-06-01", 0, 5.0, 40.0);
    s.buy("2020-06-02", 0, 5.0, 40.0);
    near(s.book.realized()[0].disallowed, 50.0);
}

#[test]
fn a_replacement_bought_before_the_loss_is_used_once_and_in_order_of_purchase() {
    let mut s = Story::new("");
    s.buy("2020-01-02", 0, 100.0, 50.0);
    s.buy("2020-05-20", 0, 30.0, 45.0);
    s.buy("2020-05-25", 0, 30.0, 44.0);
    s.sell("2020-06-01", 0, 50.0, 40.0);
    // Thirty of the first purchase, then twenty of the second.
    near(s.last().disallowed, 500.0);
    let shares: Vec<(f64, bool)> = s
        .lots(0)
        .iter()
        .map(|l| (l.shares, l.is_replacement))
        .collect();
    assert_eq!(
        shares,
        [(50.0, false), (30.0, true), (20.0, true), (10.0, false)]
    );
    near(s.lots(0)[1].basis, 30.0 * 45.0 + 300.0);
    near(s.lots(0)[2].basis, 20.0 * 44.0 + 200.0);
    // The next loss finds the ten that are left, no others.
    s.sell("2020-06-03", 0, 50.0, 40.0);
    near(s.last().disallowed, 100.0);
}

#[test]
fn shares_sold_replace_nothing() {
    // All that was bought in the window is sold with the rest.
    let mut s = Story::new("");
    s.buy("2020-01-02", 0, 100.0, 50.0);
    s.buy("2020-05-20", 0, 50.0, 45.0);
    s.sell("2020-06-01", 0, 150.0, 40.0);
    assert!(s.book.realized().iter().all(|r| r.disallowed == 0.0));
    // A part of one purchase is sold: the rest of it is no replacement.
    let mut s = Story::new("");
    s.buy("2020-05-20", 0, 100.0, 50.0);
    s.sell("2020-06-01", 0, 40.0, 40.0);
    near(s.last().disallowed, 0.0);
    // But a lot of another purchase is one, even when a part of it was sold with the loss.
    let mut s = Story::new("");
    s.buy("2020-01-02", 0, 100.0, 50.0);
    s.buy("2020-05-20", 0, 100.0, 60.0);
    s.sell("2020-06-01", 0, 150.0, 40.0);
    near(s.book.realized()[0].disallowed, 500.0);
    near(s.book.realized()[1].disallowed, 0.0);
}

#[test]
fn layers_and_identical_securities_wash_each_other_and_others_do_not() {
    for (layer, slot, disallowed) in [(1, 0, 100.0), (0, 1, 100.0), (1, 1, 100.0), (0, 2, 0.0)] {
        let mut s = Story::new("identical = [[\"A\", \"B\"]]\n");
        s.buy("2020-01-02", 0, 10.0, 50.0);
        s.sell("2020-06-01", 0, 10.0, 40.0);
        s.trade("2020-06-10", layer, slot, 10.0, 77.0);
        near(s.last().disallowed, disallowed);
        let lot = &s.book.lots(layer, slot)[0];
        near(lot.basis, 770.0 + disallowed);
    }
}

#[test]
fn a_split_between_purchase_and_sale_changes_shares_and_no_money() {
    let mut s = Story::new("");
    s.buy("2020-01-02", 0, 10.0, 50.0);
    s.book.observe(
        day("2020-03-02"),
        0,
        &TaxEvent::Split {
            slot: 0,
            ratio: 4.0,
        },
    );
    s.held[0][0] *= 4.0;
    near(s.lots(0)[0].shares, 40.0);
    s.sell("2020-06-01", 0, 40.0, 10.0);
    near(s.last().gain, -100.0);
    // And one between a loss and its replacement: forty shares are eighty now.
    s.book.observe(
        day("2020-06-05"),
        0,
        &TaxEvent::Split {
            slot: 0,
            ratio: 2.0,
        },
    );
    s.buy("2020-06-10", 0, 20.0, 5.0);
    near(s.last().disallowed, 25.0);
}

#[test]
fn a_short_sale_gains_when_it_is_bought_back_cheaper_and_is_never_long() {
    let mut s = Story::new("");
    s.sell("2020-01-02", 0, 10.0, 50.0);
    assert!(s.lots(0)[0].is_short);
    s.buy("2022-06-01", 0, 10.0, 30.0);
    near(s.last().gain, 200.0);
    assert!(s.last().is_short && !s.last().is_long_term);
    near(s.year(2022).tax, 60.0);
    // A loss is washed by selling short again, not by buying.
    s.sell("2023-01-03", 0, 10.0, 50.0);
    s.buy("2023-02-01", 0, 10.0, 60.0);
    s.buy("2023-02-02", 0, 10.0, 60.0);
    near(s.last().disallowed, 0.0);
    s.sell("2023-02-03", 0, 14.0, 61.0);
    let loss = s
        .book
        .realized()
        .iter()
        .find(|r| r.gain < 0.0)
        .expect("a loss");
    near(loss.disallowed, 40.0);
    near(s.lots(0)[0].basis, 4.0 * 61.0 - 40.0);
}

#[test]
fn a_reversal_closes_and_opens_in_one_fill() {
    let mut s = Story::new("");
    s.buy("2020-01-02", 0, 10.0, 50.0);
    s.trade_with_fee(day("2020-01-03"), (0, 0), -25.0, 60.0, 5.0);
    near(s.last().gain, 100.0 - 2.0);
    let [short] = s.lots(0) else {
        panic!("one lot")
    };
    assert!(short.is_short);
    near(short.shares, 15.0);
    near(short.basis, 15.0 * 60.0 - 3.0);
}

/// A stock of shares that were bought long ago at 10,000 each, for long-term gains and losses.
fn with_a_stock(keys: &str) -> Story {
    let mut s = Story::new(keys);
    s.buy("2015-01-02", 2, 10.0, 10_000.0);
    s
}

/// Realises a short-term and a long-term gain (or loss) in a year.
fn realize(s: &mut Story, year: i32, short: f64, long: f64) {
    s.buy(&format!("{year}-03-01"), 1, 1.0, 10_000.0);
    s.sell(&format!("{year}-06-01"), 1, 1.0, 10_000.0 + short);
    s.sell(&format!("{year}-06-01"), 2, 1.0, 10_000.0 + long);
}

#[test]
fn gains_and_losses_net_within_their_kind_and_then_across() {
    for (short, long, tax, carry) in [
        (100.0, 200.0, 30.0 + 20.0, (0.0, 0.0)),
        (-100.0, 300.0, 20.0, (0.0, 0.0)),
        (-300.0, 100.0, 0.0, (200.0, 0.0)),
        (300.0, -100.0, 60.0, (0.0, 0.0)),
        (100.0, -300.0, 0.0, (0.0, 200.0)),
        (-100.0, -200.0, 0.0, (100.0, 200.0)),
    ] {
        let mut s = with_a_stock("");
        realize(&mut s, 2020, short, long);
        let year = s.year(2020);
        near(year.tax, tax);
        near(year.carry_short, carry.0);
        near(year.carry_long, carry.1);
    }
}

#[test]
fn a_loss_is_carried_over_years_with_its_character() {
    let mut s = with_a_stock("loss_cap_ordinary = 3000\n");
    realize(&mut s, 2020, -5_000.0, -4_000.0);
    // 3,000 of it, short-term first, save 30% of ordinary income.
    let year = s.year(2020);
    near(year.deducted, 3_000.0);
    near(year.tax, -900.0);
    near(year.carry_short, 2_000.0);
    near(year.carry_long, 4_000.0);
    // A year without a sale deducts again: 2,000 short, 1,000 long.
    let year = s.year(2021);
    near(year.tax, -900.0);
    near(year.carry_short, 0.0);
    near(year.carry_long, 3_000.0);
    // Gains use the rest up: 1,000 of 4,000 long are taxed.
    realize(&mut s, 2022, 0.0, 4_000.0);
    let year = s.year(2022);
    near(year.carried_long, 3_000.0);
    near(year.tax, 100.0);
    near(year.carry_long, 0.0);
    // Without a cap nothing is deducted and all is carried.
    let mut s = with_a_stock("");
    realize(&mut s, 2020, -5_000.0, 0.0);
    near(s.year(2023).carry_short, 5_000.0);
    near(s.year(2023).tax, 0.0);
}

#[test]
fn dividends_and_interest_are_taxed_at_their_rates_when_paid() {
    let mut s = Story::new("");
    s.book
        .observe(day("2020-03-02"), 0, &TaxEvent::Dividend(100.0));
    s.book
        .observe(day("2020-03-02"), 1, &TaxEvent::Dividend(50.0));
    // What a short owes is not deducted.
    s.book
        .observe(day("2020-03-03"), 0, &TaxEvent::Dividend(-70.0));
    s.book
        .observe(day("2020-04-01"), 0, &TaxEvent::Interest(10.0));
    near(s.year(2020).tax, 150.0 * 0.2 + 10.0 * 0.4);
}

#[test]
fn a_purchase_in_january_amends_the_year_before() {
    let story = |closed_in_december: bool| {
        let mut s = Story::new("");
        s.buy("2020-03-02", 0, 20.0, 50.0);
        s.sell("2020-06-01", 0, 10.0, 70.0);
        s.sell("2020-12-15", 0, 10.0, 40.0);
        if closed_in_december {
            // 200 gained and 100 lost, at 30%.
            assert_eq!(s.book.due(2020), [(2020, 30.0)]);
            s.book.pay(2020, 30.0);
            assert!(!s.book.is_amended());
        }
        s.buy("2021-01-10", 0, 10.0, 41.0);
        s
    };
    // Before it is paid: the loss is gone from the year.
    let mut s = story(false);
    assert_eq!(s.book.due(2020), [(2020, 60.0)]);
    // After it was paid: the difference is due.
    let mut s = story(true);
    assert!(s.book.is_amended());
    assert_eq!(s.book.due(2020), [(2020, 30.0)]);
    near(s.lots(0)[0].basis, 410.0 + 100.0);
    s.book.pay(2020, 30.0);
    assert_eq!(s.book.due(2020), []);
}

#[test]
fn what_a_sale_would_owe_is_what_it_then_owes() {
    let mut s = with_a_stock("lots = \"hifo\"\n");
    realize(&mut s, 2020, -500.0, 0.0);
    s.buy("2020-07-03", 0, 10.0, 20.0);
    s.buy("2020-09-04", 0, 10.0, 30.0);
    realize(&mut s, 2021, 0.0, 100.0);
    let before = s.year(2021).tax;
    let told = s.book.tax_if_sold((0, 0), 15.0, 80.0, day("2021-08-02"));
    s.sell("2021-08-02", 0, 15.0, 80.0);
    near(told, s.year(2021).tax - before);
}

#[test]
fn liquidation_owes_on_what_is_open_and_what_is_unpaid() {
    let mut s = Story::new("");
    s.buy("2020-01-02", 0, 10.0, 50.0);
    s.buy("2021-03-01", 1, 10.0, 50.0);
    s.sell("2021-06-01", 1, 5.0, 60.0);
    let marks = |_, slot: usize| if slot == 0 { 90.0 } else { 70.0 };
    let owed = s.book.liquidation(day("2021-09-01"), marks);
    near(owed.unpaid, 50.0 * 0.3);
    near(owed.on_sale, 400.0 * 0.1 + 100.0 * 0.3);
    // Losses lower what is owed already.
    let owed = s
        .book
        .liquidation(day("2021-09-01"), |_, slot| 50.0 - 4.0 * slot as f64);
    near(owed.on_sale, -20.0 * 0.3);
}

/// One random trade: days later, layer, slot, shares (signed), price, fee.
type Step = (u32, usize, usize, f64, f64, f64);

fn steps() -> impl PropStrategy<Value = Vec<Step>> {
    prop::collection::vec(
        (
            0..40u32,
            0..2usize,
            0..3usize,
            -50.0..50.0f64,
            5.0..50.0f64,
            0.0..2.0f64,
        ),
        1..60,
    )
}

/// Plays random trades and, at the end, closes everything. Cash gained by trading alone.
fn play(keys: &str, steps: &[Step]) -> (Story, f64) {
    let mut s = Story::new(keys);
    let mut now = day("2020-01-01");
    let mut cash = 0.0;
    let mut trade = |s: &mut Story, now, place, shares: f64, price: f64, fee: f64| {
        s.trade_with_fee(now, place, shares, price, fee);
        cash -= shares * price + fee;
    };
    for &(days, layer, slot, shares, price, fee) in steps {
        now += chrono::Duration::days(i64::from(days));
        trade(&mut s, now, (layer, slot), shares, price, fee);
        let position = s.held[layer][slot];
        let lots = s.book.lots(layer, slot);
        let sum: f64 = lots
            .iter()
            .map(|l| if l.is_short { -l.shares } else { l.shares })
            .sum();
        assert!(
            (sum - position).abs() < 1e-9,
            "{sum} in lots, {position} held"
        );
        assert!(
            lots.iter()
                .all(|l| l.shares > 0.0 && l.bought >= l.held_since)
        );
    }
    now += chrono::Duration::days(31);
    for layer in 0..2 {
        for slot in 0..3 {
            let shares = -s.held[layer][slot];
            if shares != 0.0 {
                trade(&mut s, now, (layer, slot), shares, 20.0, 1.0);
            }
        }
    }
    (s, cash)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Disallowed losses are deferred, never lost and never doubled: after everything was closed the
    /// taxed gains are the cash that trading gained, whatever the rule.
    #[test]
    fn taxed_gains_are_the_cash_gained(steps in steps(), rule in 0..4usize, group in any::<bool>()) {
        let rule = ["fifo", "lifo", "hifo", "min_tax"][rule];
        let groups = if group { "identical = [[\"A\", \"C\"]]\n" } else { "" };
        let (s, cash) = play(&format!("lots = \"{rule}\"\n{groups}"), &steps);
        let realized = s.book.realized();
        let raw: f64 = realized.iter().map(|r| r.gain + r.deferred).sum();
        prop_assert!((raw - cash).abs() < 1e-6, "{raw} realised, {cash} in cash");
        let disallowed: f64 = realized.iter().map(|r| r.disallowed).sum();
        let came_back: f64 = realized.iter().map(|r| r.deferred).sum();
        prop_assert!((disallowed - came_back).abs() < 1e-6);
        let taxed: f64 = s.book.years(2030).iter().map(|y| y.sums.short + y.sums.long).sum();
        prop_assert!((taxed - cash).abs() < 1e-6, "{taxed} taxed, {cash} in cash");
        for r in realized {
            prop_assert!(r.disallowed <= (-r.gain).max(0.0) + 1e-9, "more than the loss");
            let gain = r.proceeds - r.basis;
            prop_assert!((gain - r.gain).abs() < 1e-9);
        }
    }

    /// The rule of lots moves gains between years and rates, never their sum; without wash sales
    /// two securities do not care in which order the other's fills arrive on a day.
    #[test]
    fn the_order_of_two_securities_on_a_day_does_not_matter(steps in steps()) {
        let mut s = Story::new("");
        let mut t = Story::new("");
        let mut now = day("2020-01-01");
        for pair in steps.chunks(2) {
            now += chrono::Duration::days(i64::from(pair[0].0));
            let one = |s: &mut Story, k: usize| {
                if let Some(&(_, layer, slot, shares, price, fee)) = pair.get(k) {
                    // The second of a pair trades another security than the first.
                    let slot = if k == 1 { (pair[0].2 + 1 + slot % 2) % 3 } else { slot };
                    s.trade_with_fee(now, (layer, slot), shares, price, fee);
                }
            };
            one(&mut s, 0);
            one(&mut s, 1);
            one(&mut t, 1);
            one(&mut t, 0);
        }
        let (a, b) = (s.book.years(2030), t.book.years(2030));
        prop_assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            prop_assert!((a.tax - b.tax).abs() < 1e-9);
            prop_assert!((a.sums.short - b.sums.short).abs() < 1e-9);
        }
    }
}

/// Bars `[open, high, low, close]` with columns of wishes, on days of the calendar.
fn market(days: &[&str], closes: &[f64], wishes: &[(&str, &[usize])]) -> Market {
    let time = days.iter().map(|d| midnight(day(d))).collect();
    let column = || closes.to_vec();
    let mut bars = Bars::new(time, column(), column(), column(), column(), None).expect("bars");
    for (name, at) in wishes {
        let flags = (0..days.len()).map(|i| f64::from(at.contains(&i)));
        bars = bars.with_extra(name, flags.collect()).expect("a column");
    }
    Market::from_tapes(vec![("A".to_string(), bars)]).expect("one tape")
}

fn run(market: &Market, text: &str) -> Run {
    let text = format!(
        "[data]\nsource = \"unused\"\n[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[costs]\npreset = \"none\"\n{text}"
    );
    let strategy = Strategy::parse(&text, "story", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"));
    backtest(market, &strategy).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn taxes_of(run: &Run) -> Vec<(usize, f64, &str)> {
    let entries = run.ledger.iter().filter(|e| e.kind == EntryKind::Tax);
    entries
        .map(|e| (e.bar, e.amount, e.note.as_str()))
        .collect()
}

const TWO_YEARS: [&str; 8] = [
    "2019-06-03",
    "2019-06-04",
    "2019-12-30",
    "2019-12-31",
    "2020-01-02",
    "2020-01-03",
    "2020-04-14",
    "2020-04-15",
];

#[test]
fn a_years_tax_is_paid_on_its_last_bar_or_in_april_and_equity_is_net_of_it() {
    // All in at 10 on the second bar, out at 12 on the fourth, the last of the year.
    let closes = [10.0, 10.0, 11.0, 12.0, 12.0, 12.0, 12.0, 12.0];
    let market = market(&TWO_YEARS, &closes, &[("buy", &[0]), ("sell", &[2])]);
    let run_at = |pay: &str| run(&market, &format!("{RATES}pay = \"{pay}\"\n"));
    let at_end = run_at("year_end");
    assert_eq!(taxes_of(&at_end), [(3, -6_000.0, "2019")]);
    near(at_end.equity[2], 110_000.0);
    near(at_end.equity[3], 114_000.0);
    let april = run_at("april");
    assert_eq!(taxes_of(&april), [(7, -6_000.0, "2019")]);
    near(april.equity[6], 120_000.0);
    near(april.equity[7], 114_000.0);
    for run in [at_end, april] {
        assert!(run.books_error < 1e-6);
        let report = run.tax.expect("a report");
        near(report.years[0].tax, 6_000.0);
        near(report.years[0].paid, 6_000.0);
        near(report.liquidation.unpaid + report.liquidation.on_sale, 0.0);
    }
}

#[test]
fn tax_beyond_the_cash_waits_for_a_sale_and_comes_before_what_is_bought_with_it() {
    // In at 10, out at 12, in again at 12 with all of it, before the year ends: no cash is left.
    let days = [
        "2019-06-03",
        "2019-06-04",
        "2019-06-05",
        "2019-06-06",
        "2019-12-31",
        "2020-01-02",
        "2020-01-03",
    ];
    let closes = [10.0, 10.0, 12.0, 12.0, 12.0, 12.0, 12.0];
    let market = market(&days, &closes, &[("buy", &[0, 2]), ("sell", &[1, 4])]);
    let run = run(&market, RATES);
    near(run.cash[4], 0.0);
    near(run.equity[4], 120_000.0 - 6_000.0);
    assert_eq!(taxes_of(&run), [(5, -6_000.0, "2019")]);
    near(run.cash[5], 114_000.0);
    assert!(run.books_error < 1e-6);
    assert!(run.cash.iter().all(|cash| *cash >= 0.0));
}

#[test]
fn a_purchase_in_january_is_corrected_in_the_ledger() {
    // A gain in June, a loss on 30 December, the same share bought back on 2 January.
    let days = [
        "2019-05-01",
        "2019-05-02",
        "2019-06-03",
        "2019-11-01",
        "2019-11-04",
        "2019-12-30",
        "2019-12-31",
        "2020-01-02",
        "2020-01-03",
    ];
    let closes = [10.0, 10.0, 20.0, 20.0, 20.0, 15.0, 15.0, 15.0, 15.0];
    let wishes: &[(&str, &[usize])] = &[("buy", &[0, 3, 6]), ("sell", &[1, 4])];
    let market = market(&days, &closes, wishes);
    let size = "[size]\nmethod = \"shares\"\nvalue = 100\n";
    // 1,000 gained, 500 lost: 150 are due; the loss is washed: 150 more on the day of the purchase.
    let at_end = run(&market, &format!("{size}{RATES}"));
    assert_eq!(
        taxes_of(&at_end),
        [(6, -150.0, "2019"), (7, -150.0, "2019")]
    );
    let report = at_end.tax.expect("a report");
    near(report.years[0].sums.short, 1_000.0);
    near(report.open[0].0.basis, 1_500.0 + 500.0);
    let april = run(&market, &format!("{size}{RATES}pay = \"april\"\n"));
    assert!(taxes_of(&april).is_empty(), "not due before April");
    near(april.tax.expect("a report").liquidation.unpaid, 300.0);
}

#[test]
fn a_dividend_reinvested_in_the_window_washes_its_part() {
    let days = [
        "2019-05-01",
        "2019-05-02",
        "2019-06-03",
        "2019-06-04",
        "2019-06-05",
        "2019-06-06",
    ];
    let closes = [10.0, 10.0, 8.0, 8.0, 8.0, 8.0];
    let mut market = market(&days, &closes, &[("buy", &[0]), ("sell", &[4])]);
    // 0.08 a share on a hundred shares buy one share on the day before the decision to sell.
    market.actions.push(Action {
        time: midnight(day("2019-06-03")),
        symbol: "A".to_string(),
        kind: ActionKind::Dividend,
        value: 0.08,
        pay: None,
        declared: None,
    });
    let text = format!(
        "[size]\nmethod = \"shares\"\nvalue = 100\n[account]\ndividends = \"reinvest\"\n{RATES}"
    );
    let bought = run(&market, &text);
    let report = bought.tax.as_ref().expect("a report");
    // Both are sold together: neither replaces the other, and the dividend is taxed.
    assert_eq!(report.realized.len(), 2);
    assert!(report.realized.iter().all(|r| r.disallowed == 0.0));
    near(report.years[0].sums.dividends, 8.0);
    near(report.realized[1].shares, 1.0);
    // Under a partial target only a half is sold, and the reinvested share is still there.
    let half = format!("{text}[stops]\nstop = 0.3\ntarget = 0.01\ntarget_share = 0.5\n");
    let run = run(&market, &half.replace("target = 0.01", "target = 1.0"));
    near(run.tax.expect("a report").realized.len() as f64, 2.0);
}

#[test]
fn rules_of_lots_and_rates_change_nothing_before_tax() {
    let days: Vec<String> = (0..40)
        .map(|i| (day("2019-06-03") + chrono::Duration::days(7 * i)).to_string())
        .collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    let closes: Vec<f64> = (0..40).map(|i| 10.0 + f64::from(i + i * 7 % 11)).collect();
    let market = market(
        &days,
        &closes,
        &[("buy", &[0, 3, 5, 12, 20, 22, 30]), ("sell", &[9, 17, 28])],
    );
    let text =
        |tax: &str| format!("[size]\nmethod = \"shares\"\nvalue = 10\npyramid = true\n{tax}");
    let plain = run(&market, &text(""));
    for rule in ["fifo", "lifo", "hifo", "min_tax"] {
        let taxed = run(&market, &text(&format!("{RATES}lots = \"{rule}\"\n")));
        assert_eq!(taxed.orders, plain.orders);
        assert_eq!(taxed.trades, plain.trades);
        let mut paid = 0.0;
        let mut entries = taxed.ledger.iter().peekable();
        for bar in 0..40 {
            while let Some(e) = entries.next_if(|e| e.bar == bar) {
                paid += if e.kind == EntryKind::Tax {
                    e.amount
                } else {
                    0.0
                };
            }
            near(taxed.equity[bar] - paid, plain.equity[bar]);
        }
        assert!(paid < 0.0);
        let report = taxed.tax.expect("a report");
        let open: f64 = report.open.iter().map(|(lot, _)| lot.shares).sum();
        near(open * closes[39], plain.holdings[39]);
    }
}

#[test]
fn figures_after_tax_are_those_of_selling_everything_at_the_end() {
    let closes = [10.0, 10.0, 11.0, 12.0, 12.0, 13.0, 14.0, 15.0];
    let market = market(&TWO_YEARS, &closes, &[("buy", &[0]), ("sell", &[])]);
    let run = run(&market, RATES);
    let metrics = papertape::metrics::of_run(&run, None, 42);
    near(metrics.get("taxes").expect("taxes"), 0.0);
    // 10,000 shares gained 5 each, not long: 15,000 of 150,000.
    let days = (day("2020-04-15") - day("2019-06-03")).num_days() as f64;
    let expected = libm::pow(1.35, 365.25 / days) - 1.0;
    near(metrics.get("after_tax_cagr").expect("a figure"), expected);
}

#[test]
fn mistakes_have_a_place_and_a_cure() {
    let read = |text: &str| {
        let text = format!("[rules]\nenter = \"close > 0\"\n{text}");
        let read = Strategy::parse(&text, "taxed", Path::new("."), &Overrides::default());
        read.expect_err("a mistake").to_string()
    };
    for (text, words) in [
        (
            "[tax]\nlots = \"fifo\"",
            vec!["needs short_rate", "needs long_rate", "short_rate = 0.2"],
        ),
        (
            "[tax]\nshort_rate = 32\nlong_rate = 0.1",
            vec!["0.32 is 32%"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[cash]\nyield = 0.04",
            vec!["needs interest_rate", "[cash] yield"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[data]\ndividend_yield = 0.02",
            vec!["needs dividend_rate"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\nidentical = [\"SPY\", \"IVV\"]",
            vec!["list of lists", "[[\"SPY\", \"IVV\", \"VOO\"]]"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\nidentical = [[\"A\", \"B\"], [\"B\", \"C\"]]",
            vec!["B is in two groups"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\nindex_options = \"1257\"",
            vec!["did you mean \"1256\"?"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[account]\neach = true",
            vec!["no common year"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[tax.harvest]\nloss_over = 0.1",
            vec!["needs pairs"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\nidentical = [[\"SPY\", \"IVV\"]]\n[tax.harvest]\npairs = [[\"IVV\", \"SPY\"]]",
            vec!["one security", "wash sale", "alike, not identical"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[tax.harvest]\npairs = [[\"A\", \"B\"], [\"B\", \"C\"]]",
            vec!["B is in two pairs"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[tax.harvest]\npairs = [[\"A\", \"B\", \"C\"]]",
            vec!["not two symbols"],
        ),
        (
            "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[tax.harvst]\npairs = [[\"A\", \"B\"]]",
            vec!["harvst"],
        ),
        (
            "[tax.harvest]\npairs = [[\"A\", \"B\"]]",
            vec!["needs short_rate"],
        ),
    ] {
        let said = read(text);
        for word in words {
            assert!(said.contains(word), "{text}\nsays {said}\nnot {word}");
        }
    }
}

#[test]
fn dividends_in_the_data_need_a_rate() {
    let mut market = market(&TWO_YEARS, &[10.0; 8], &[("buy", &[0]), ("sell", &[])]);
    market.actions.push(Action {
        time: midnight(day("2019-12-30")),
        symbol: "A".to_string(),
        kind: ActionKind::Dividend,
        value: 0.1,
        pay: None,
        declared: None,
    });
    let text = "[rules]\nenter = \"buy > 0\"\n[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n";
    let parse = |text: &str| {
        Strategy::parse(text, "taxed", Path::new("."), &Overrides::default()).expect("a strategy")
    };
    let said = backtest(&market, &parse(text))
        .expect_err("no rate")
        .to_string();
    assert!(said.contains("dividend_rate"), "{said}");
    let rated = format!("{text}dividend_rate = 0.15\n");
    let run = backtest(&market, &parse(&rated)).expect("a run");
    let paid: f64 = taxes_of(&run).iter().map(|(_, amount, _)| amount).sum();
    let dividends: f64 = run
        .ledger
        .iter()
        .filter(|e| e.kind == EntryKind::Dividend)
        .map(|e| e.amount)
        .sum();
    near(paid, -0.15 * dividends);
}

/// Closes of A and B on weekdays from 2020-01-01 on, with wishes for A alone.
fn pair(a: &[f64], b: &[f64], buy: &[usize], sell: &[usize]) -> Market {
    let mut days = day("2020-01-01").iter_days();
    let is_weekday = |d: &NaiveDate| d.weekday().number_from_monday() < 6;
    let days: Vec<_> = days.by_ref().filter(is_weekday).take(a.len()).collect();
    let tape = |closes: &[f64], buy: &[usize], sell: &[usize]| {
        let time = days.iter().map(|d| midnight(*d)).collect();
        let column = || closes.to_vec();
        let flags = |at: &[usize]| {
            (0..days.len())
                .map(|i| f64::from(at.contains(&i)))
                .collect()
        };
        Bars::new(time, column(), column(), column(), column(), None)
            .and_then(|bars| bars.with_extra("buy", flags(buy)))
            .and_then(|bars| bars.with_extra("sell", flags(sell)))
            .expect("bars")
    };
    Market::from_tapes(vec![
        ("A".to_string(), tape(a, buy, sell)),
        ("B".to_string(), tape(b, &[], &[])),
    ])
    .expect("two tapes")
}

const HARVEST: &str = "[size]\nmethod = \"shares\"\nvalue = 100\n[tax.harvest]\nloss_over = 0.05\npairs = [[\"A\", \"B\"]]\n";

/// A falls from 100 to 90 after three bars; B is at 50 and falls to 45 after eight.
fn falling(bars: usize) -> (Vec<f64>, Vec<f64>) {
    let a = (0..bars)
        .map(|i| if i < 3 { 100.0 } else { 90.0 })
        .collect();
    let b = (0..bars).map(|i| if i < 8 { 50.0 } else { 45.0 }).collect();
    (a, b)
}

fn fills(run: &Run) -> Vec<(usize, usize, &str, f64, &str)> {
    let filled = run.orders.iter().filter(|o| o.filled > 0.0);
    filled
        .map(|o| {
            let bar = o.fill_bar.expect("a fill");
            (bar, o.symbol, o.side.name(), o.filled, o.reason.name())
        })
        .collect()
}

#[test]
fn a_loss_is_sold_its_pair_stands_in_and_nothing_is_swapped_back_in_the_window() {
    let (a, b) = falling(40);
    let run = run(&pair(&a, &b, &[0], &[36]), &format!("{RATES}{HARVEST}"));
    assert_eq!(
        fills(&run),
        [
            (1, 0, "buy", 100.0, "signal"),
            // Seen at the close of bar 3, sold at the open of bar 4 with its money into B.
            (4, 0, "sell", 100.0, "harvest"),
            (4, 1, "buy", 180.0, "harvest"),
            // B lost enough on bar 8, 6 January + 30 days is over at the close of bar 27.
            (28, 1, "sell", 180.0, "harvest"),
            (28, 0, "buy", 90.0, "harvest"),
            // The exit of A's rule sells what stands for it, now A itself.
            (37, 0, "sell", 90.0, "signal"),
        ]
    );
    let report = run.tax.as_ref().expect("a report");
    let harvest = report.harvest.expect("a harvest");
    assert_eq!(harvest.swaps, 2);
    near(harvest.harvested, 1_000.0 + 900.0);
    near(harvest.disallowed, 0.0);
    assert!(run.books_error < 1e-6);
}

#[test]
fn the_exit_of_a_rule_sells_the_partner_that_stands_in() {
    let (a, b) = falling(20);
    let run = run(&pair(&a, &b, &[0, 14], &[9]), &format!("{RATES}{HARVEST}"));
    assert_eq!(
        fills(&run)[1..],
        [
            (4, 0, "sell", 100.0, "harvest"),
            (4, 1, "buy", 180.0, "harvest"),
            (10, 1, "sell", 180.0, "signal"),
            // Bought again within the window: the partner, so that A's loss stays one. B's own loss
            // of bar 10 is washed by it, and is not lost.
            (15, 1, "buy", 100.0, "signal"),
        ]
    );
    let report = run.tax.expect("a report");
    near(report.realized[0].disallowed, 0.0);
    near(report.realized[1].gain, -900.0);
    near(report.realized[1].disallowed, 900.0 * 100.0 / 180.0);
}

#[test]
fn a_harvest_gained_what_the_same_run_without_it_had_less_after_liquidation() {
    // A gain of an earlier trade is there to be offset; both recover afterwards.
    let days = 60;
    let a: Vec<f64> = (0..days)
        .map(|i| match i {
            0..=2 => 80.0,
            3..=9 => 100.0,
            10..=14 => 90.0,
            _ => 110.0,
        })
        .collect();
    let b: Vec<f64> = a.iter().map(|p| p / 2.0).collect();
    let market = pair(&a, &b, &[0, 5], &[3]);
    let with = run(&market, &format!("{RATES}{HARVEST}"));
    let without = run(
        &market,
        &format!("{RATES}[size]\nmethod = \"shares\"\nvalue = 100\n"),
    );
    let (with, without) = (with.tax.expect("a report"), without.tax.expect("a report"));
    let harvest = with.harvest.expect("a harvest");
    assert!(harvest.swaps >= 1);
    near(harvest.gained, with.equity_after - without.equity_after);
    near(harvest.deferred, without.due() - with.due());
    // One rate, no cost, one year: what is put off is owed at the end, and nothing is gained.
    near(harvest.gained, 0.0);
    assert!(without.harvest.is_none());
}

#[test]
fn a_harvest_waits_for_a_loss_that_is_large_and_counts() {
    let (a, b) = falling(20);
    let market = pair(&a, &b, &[0], &[]);
    let count = |keys: &str| {
        let text = format!("{RATES}{}{keys}", HARVEST.replace("loss_over = 0.05\n", ""));
        run(&market, &text)
            .tax
            .and_then(|t| t.harvest)
            .map(|h| h.swaps)
    };
    assert_eq!(count("loss_over = 0.05\n"), Some(1));
    // Not more than the loss, and not for a saving below what is asked: 1,000 at 30%.
    assert_eq!(count("loss_over = 0.1\n"), Some(0));
    assert_eq!(count("loss_over = 0.05\nmin_benefit = 300\n"), Some(1));
    assert_eq!(count("loss_over = 0.05\nmin_benefit = 301\n"), Some(0));
    // Shares bought on that day would replace those sold.
    let pyramid = HARVEST.replace("value = 100\n", "value = 100\npyramid = true\n");
    let market = pair(&a, &b, &[0, 2], &[]);
    let run = run(&market, &format!("{RATES}{pyramid}"));
    assert_eq!(run.tax.and_then(|t| t.harvest).map(|h| h.swaps), Some(0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Under random rules on random prices the books of a taxed run balance, its lots are its
    /// positions, and no swap ever makes a loss of its own a wash sale.
    #[test]
    fn taxed_runs_balance_and_lots_are_positions(
        moves in prop::collection::vec((-0.06..0.06f64, -0.06..0.06f64), 60..200),
        buy in 2..9usize,
        sell in 5..40usize,
        lots in 0..4usize,
        april in any::<bool>(),
        harvest in any::<bool>(),
    ) {
        let path = |k: usize| {
            let mut price = 40.0;
            moves.iter().map(|m| { price *= 1.0 + if k == 0 { m.0 } else { m.1 }; price }).collect::<Vec<_>>()
        };
        let every = |n: usize| (0..moves.len()).step_by(n).collect::<Vec<_>>();
        let market = pair(&path(0), &path(1), &every(buy), &every(sell));
        let rule = ["fifo", "lifo", "hifo", "min_tax"][lots];
        let pay = if april { "april" } else { "year_end" };
        let harvest = if harvest { "[tax.harvest]\nloss_over = 0.02\npairs = [[\"A\", \"B\"]]\n" } else { "" };
        let text = format!(
            "{RATES}lots = \"{rule}\"\npay = \"{pay}\"\nlong_after_years = 0\nloss_cap_ordinary = 500\n{harvest}[size]\nmethod = \"fraction\"\nvalue = 0.3\npyramid = true\n"
        );
        let run = run(&market, &text);
        let end = run.equity.last().copied().unwrap_or(0.0);
        prop_assert!(run.books_error <= 1e-9 * end.abs().max(100_000.0));
        prop_assert!(run.cash.iter().all(|cash| *cash >= -1e-6));
        let report = run.tax.as_ref().expect("a report");
        let value: f64 = report.open.iter().map(|(lot, price)| lot.shares * price).sum();
        let held = run.holdings.last().copied().unwrap_or(0.0);
        prop_assert!((value - held).abs() < 1e-6, "{value} in lots, {held} held");
        let washed = report.realized.iter().filter(|r| r.is_harvest && r.disallowed > 0.0);
        let washed: Vec<_> = washed.collect();
        prop_assert!(washed.is_empty(), "{:?}\n{:?}", washed, fills(&run));
        let entries = run.ledger.iter().filter(|e| e.kind == EntryKind::Tax);
        let paid: f64 = entries.map(|e| -e.amount).sum();
        prop_assert!((paid + report.owed - report.due()).abs() < 1e-6);
    }
}

fn weighted(market: &Market, text: &str) -> Run {
    let text = format!(
        "[data]\nsource = \"unused\"\nsymbols = [\"A\", \"B\"]\n[costs]\npreset = \"none\"\n{text}"
    );
    let strategy = Strategy::parse(&text, "story", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"));
    backtest(market, &strategy).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
fn under_weights_the_pair_has_its_partners_target() {
    // All in A, rebalanced every week; A falls by a tenth, later both rise.
    let a: Vec<f64> = (0..60)
        .map(|i| {
            if i < 3 {
                100.0
            } else {
                90.0 + f64::from(i) * 0.2
            }
        })
        .collect();
    let b: Vec<f64> = a.iter().map(|p| p / 2.0).collect();
    let market = pair(&a, &b, &[], &[]);
    let text = format!(
        "[weights]\ntargets = {{ A = 0.5 }}\nevery = \"week\"\n{RATES}[tax.harvest]\npairs = [[\"A\", \"B\"]]\n"
    );
    let run = weighted(&market, &text);
    let harvest = run.tax.as_ref().and_then(|t| t.harvest).expect("a harvest");
    assert_eq!(harvest.swaps, 1);
    let fills = fills(&run);
    let swap = fills.iter().position(|f| f.4 == "harvest").expect("a swap");
    // From then on only B is bought and sold, and it weighs what A should.
    assert!(fills[swap + 1..].iter().all(|f| f.1 == 1), "{fills:?}");
    assert!(fills.len() > swap + 3, "{fills:?}");
    for bar in 10..60 {
        let share = run.holdings[bar] / run.equity[bar];
        assert!((share - 0.5).abs() < 0.01, "{share} on bar {bar}");
    }
    assert!(
        run.tax
            .expect("a report")
            .realized
            .iter()
            .all(|r| r.disallowed == 0.0)
    );
}

#[test]
fn a_tax_aware_rebalance_sells_only_where_the_drift_is_worth_the_tax() {
    let sells_at = |aware: bool, target: f64, last: f64| {
        let a: Vec<f64> = (0..30).map(|i| if i < 5 { 50.0 } else { last }).collect();
        let market = pair(&a, &[50.0; 30], &[], &[]);
        let text = format!(
            "[weights]\ntargets = {{ A = {target}, B = {} }}\nevery = \"month\"\ntax_aware = {aware}\n{RATES}",
            1.0 - target
        );
        let run = weighted(&market, &text);
        run.orders
            .iter()
            .any(|o| o.side == Side::Sell && o.filled > 0.0)
    };
    // From 50 to 55: 10/105 of half too heavy is 4.8%; the tax is 30% of 5/55, 2.7%: sold.
    assert!(sells_at(true, 0.5, 55.0) && sells_at(false, 0.5, 55.0));
    // With seven eighths in A it is 1.1% too heavy, for the same tax: left.
    assert!(!sells_at(true, 0.875, 55.0) && sells_at(false, 0.875, 55.0));
    // What did not gain owes nothing: B, too heavy beside a falling A, is sold.
    assert!(sells_at(true, 0.5, 45.0));
}
