//! Checks `tax.csv` and `lots.csv`: what each year realised follows from the lots, what it received from
//! the ledger, what it owes from both and the rates of the manifest, and what fell due is the income
//! table's.

use crate::portfolio::{YearSums, assess};
use crate::report::manifest::Manifest;
use crate::report::taxes::TAX_COLUMNS;
use crate::report::verify::Check;
use crate::report::verify::books::{Books, LotRow, TaxRow};
use crate::strategy::{LotRule, PayTax, Tax};

/// `None` for a run without taxes.
pub(super) fn follow_from_lots(books: &Books, manifest: &Manifest) -> Option<Check> {
    let (years, lots) = books.taxes.as_ref()?;
    let mut check = Check::new("taxes follow from lots, income and rates, year by year");
    let equity = books.equity_at_end();
    for lot in lots {
        check.rows += 1;
        let at = ("lots.csv", lot.line);
        check.amount(at, "gain", lot.gain, lot.proceeds - lot.basis, equity);
        if lot.disallowed < 0.0 || lot.disallowed > (-lot.gain).max(0.0) + 1e-9 * equity.abs() {
            check.add(at.0, Some(at.1), "disallows more than its loss".to_string());
        }
    }
    let tax = rates(manifest);
    let mut carried = (0.0, 0.0);
    for row in years {
        check.rows += 1;
        let sums = YearSums {
            short: realized(lots, row.year, false),
            long: realized(lots, row.year, true),
            dividends: received(books, row.year, "dividend"),
            interest: received(books, row.year, "interest"),
        };
        let year = assess(&tax, row.year, sums, carried);
        carried = (year.carry_short, year.carry_long);
        let expected = [
            sums.short,
            sums.long,
            sums.dividends,
            sums.interest,
            year.carried_short,
            year.carried_long,
            year.deducted,
            year.carry_short,
            year.carry_long,
            year.tax,
        ];
        let cells = TAX_COLUMNS[1..].iter().zip(&row.amounts).zip(expected);
        for ((name, amount), expected) in cells {
            let what = format!("{name} of {}", row.year);
            check.amount(("tax.csv", row.line), &what, *amount, expected, equity);
        }
    }
    fell_due(books, years, &mut check);
    Some(check)
}

/// What the years say was due is what the income table says.
fn fell_due(books: &Books, years: &[TaxRow], check: &mut Check) {
    let due: f64 = years.iter().map(|row| row.amounts[10]).sum();
    let taxed = books.income.iter().filter(|row| row.stream == "tax");
    let booked: f64 = taxed.map(|row| -row.amount).sum();
    let equity = books.equity_at_end();
    check.amount(("tax.csv", 1), "the sum of paid", due, booked, equity);
}

fn realized(lots: &[LotRow], year: i32, is_long_term: bool) -> f64 {
    let of_year = |lot: &&LotRow| lot.sold == Some(year) && lot.is_long_term == is_long_term;
    let lots = lots.iter().filter(of_year);
    lots.map(|lot| lot.gain + lot.disallowed).sum()
}

/// What was received in a year; what shorts owe is not deducted.
fn received(books: &Books, year: i32, kind: &str) -> f64 {
    let of_year = books.ledger.iter().filter(|row| row.year() == year);
    let amounts = of_year.filter(|row| row.kind == kind).map(|row| row.amount);
    match kind {
        "dividend" => amounts.map(|amount| amount.max(0.0)).sum(),
        _ => amounts.sum(),
    }
}

/// The rates that the run was made with; the rest of the table plays no part here.
fn rates(manifest: &Manifest) -> Tax {
    let number = |key: &str| {
        let mut assumptions = manifest.assumptions.iter();
        let found = assumptions.find(|a| a.key == key)?;
        found.value.replace('_', "").parse().ok()
    };
    Tax {
        lots: LotRule::Fifo,
        short_rate: number("tax.short_rate").unwrap_or(0.0),
        long_rate: number("tax.long_rate").unwrap_or(0.0),
        dividend_rate: number("tax.dividend_rate"),
        interest_rate: number("tax.interest_rate"),
        long_after_years: 1,
        loss_cap_ordinary: number("tax.loss_cap_ordinary").unwrap_or(0.0),
        pay: PayTax::YearEnd,
        wash_window_days: 0,
        identical: Vec::new(),
        index_options_1256: false,
        harvest: None,
    }
}
