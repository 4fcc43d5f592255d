//! Pricing against published vectors (`tests/golden/options`, made with QuantLib and 50-digit
//! arithmetic), against itself by a second way, and at its edges.

use papertape::instrument::{OccSymbol, Right, Style, SymbolStyle};
use papertape::pricing::early::{ExDividend, before_ex_dividend, is_exercised_for_dividend};
use papertape::pricing::income::{Sale, income};
use papertape::pricing::surface;
use papertape::pricing::{
    CashDividend, Inputs, Surface, Unpriced, Valuation, black_scholes, delta, implied_volatility,
    price, strike_from_delta, tree, value,
};
use std::collections::HashMap;
use std::path::Path;

/// A row of a golden file by the names of its columns.
struct Row {
    cells: HashMap<String, String>,
}

impl Row {
    fn text(&self, name: &str) -> &str {
        &self.cells[name]
    }
    fn number(&self, name: &str) -> f64 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| panic!("{name}: {text}"))
    }
    fn inputs(&self, years: f64) -> Inputs {
        let or_zero = |name| self.cells.get(name).map_or(0.0, |_| self.number(name));
        Inputs {
            right: Right::parse(self.text("type")).unwrap(),
            spot: self.number("s"),
            strike: self.cells.get("k").map_or(f64::NAN, |k| k.parse().unwrap()),
            years,
            rate: or_zero("r"),
            dividend_yield: or_zero("q"),
        }
    }
}

fn golden(name: &str, rows: usize) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/options");
    let mut reader = csv::Reader::from_path(path.join(name)).unwrap();
    let header = reader.headers().unwrap().clone();
    let read: Vec<Row> = reader
        .records()
        .map(|row| Row {
            cells: header
                .iter()
                .map(String::from)
                .zip(row.unwrap().iter().map(String::from))
                .collect(),
        })
        .collect();
    assert_eq!(read.len(), rows, "{name}");
    read
}

fn greeks(value: &Valuation) -> [(&'static str, f64); 6] {
    [
        ("delta", value.delta),
        ("gamma", value.gamma),
        ("vega", value.vega),
        ("theta", value.theta),
        ("rho", value.rho),
        ("epsilon", value.epsilon),
    ]
}

#[test]
fn european_values_and_greeks_are_those_of_fifty_digit_arithmetic() {
    let mut worst = (0.0_f64, 0.0_f64);
    for row in golden("european_bsm.csv", 302) {
        let inputs = row.inputs(row.number("t"));
        let id = row.text("id");
        let found = value(Style::European, &inputs, row.number("sigma"), &[]).unwrap();
        let (got, wanted) = (found.price, row.number("price"));
        let scale = 1.0_f64.max(inputs.spot).max(inputs.strike);
        assert!(
            (got - wanted).abs() <= 1e-10 * scale,
            "{id}: {got} {wanted}"
        );
        worst.0 = worst.0.max((got - wanted).abs() / scale);
        if wanted < 1e-12 {
            assert!((0.0..1e-11).contains(&got), "{id}: {got}");
        }
        assert_eq!(
            got.to_bits(),
            price(Style::European, &inputs, row.number("sigma"), &[])
                .unwrap()
                .to_bits()
        );
        for (name, got) in greeks(&found) {
            let wanted = row.number(name);
            let tolerance = 1e-9 * 1.0_f64.max(wanted.abs());
            assert!(
                (got - wanted).abs() <= tolerance,
                "{id} {name}: {got} {wanted}"
            );
            worst.1 = worst.1.max((got - wanted).abs() * 1e-9 / tolerance);
        }
    }
    println!("european: worst value {:e} greek {:e}", worst.0, worst.1);
}

#[test]
fn american_values_are_those_of_the_fixed_point_method() {
    let mut errors = Vec::new();
    for row in golden("american_yield.csv", 231) {
        let inputs = row.inputs(row.number("days") / 365.0);
        let (id, sigma) = (row.text("id"), row.number("sigma"));
        let found = value(Style::American, &inputs, sigma, &[]).unwrap();
        let error = (found.price - row.number("price")).abs() / inputs.strike;
        assert!(
            error <= 5e-4,
            "{id}: {} {}",
            found.price,
            row.number("price")
        );
        assert!(found.price >= row.number("european") - 1e-9, "{id}");
        assert!(
            found.price >= inputs.right.intrinsic(inputs.spot, inputs.strike),
            "{id}"
        );
        let wanted = row.number("delta");
        assert!(
            (found.delta - wanted).abs() <= 5e-3,
            "{id}: {} {wanted}",
            found.delta
        );
        if row.text("immediate_exercise") == "1" {
            let now = inputs.right.intrinsic(inputs.spot, inputs.strike);
            assert!((found.price - now).abs() <= 2e-4 * inputs.strike, "{id}");
        }
        errors.push(error);
    }
    errors.sort_by(f64::total_cmp);
    println!("american: worst {:e} median {:e}", errors[230], errors[115]);
    // The table of methods gives 1.5e-4 and 6e-7 for a tree of 201 steps without a control variate.
    assert!(errors[230] <= 1.5e-4 && errors[115] <= 6e-7);
}

#[test]
fn cash_dividends_are_escrowed() {
    let list = |text: &str| -> Vec<f64> { text.split(';').map(|n| n.parse().unwrap()).collect() };
    let mut worst = (0.0_f64, 0.0_f64);
    for row in golden("american_discrete_dividends.csv", 100) {
        let inputs = row.inputs(row.number("days") / 365.0);
        let dividends: Vec<CashDividend> = list(row.text("div_days"))
            .iter()
            .zip(list(row.text("div_amounts")))
            .map(|(days, amount)| CashDividend {
                years: days / 365.0,
                amount,
            })
            .collect();
        let (id, sigma, k) = (row.text("id"), row.number("sigma"), inputs.strike);
        let american = price(Style::American, &inputs, sigma, &dividends).unwrap();
        let wanted = row.number("american_escrowed");
        let error = (american - wanted).abs() / k;
        assert!(error <= 5e-4, "{id}: {american} {wanted}");
        let european = price(Style::European, &inputs, sigma, &dividends).unwrap();
        let closed = (european - row.number("european_escrowed")).abs() / k;
        assert!(closed <= 1e-4, "{id}: {european}");
        worst = (worst.0.max(error), worst.1.max(closed));
    }
    println!(
        "dividends: worst american {:e} european {:e}",
        worst.0, worst.1
    );
}

#[test]
fn calls_are_exercised_before_a_dividend_when_that_is_worth_more() {
    for row in golden("early_exercise_exdiv.csv", 150) {
        let at = ExDividend {
            spot_cum: row.number("s_cum"),
            strike: row.number("k"),
            years: row.number("days_after_ex") / 365.0,
            rate: row.number("r"),
            volatility: row.number("sigma"),
            dividend: row.number("dividend"),
        };
        let choice = before_ex_dividend(&at).unwrap();
        let id = row.text("id");
        let wanted = row.text("exercise") == "1";
        assert_eq!(choice.is_exercise(), wanted, "{id}");
        assert!(
            (choice.exercise_value - row.number("exercise_value")).abs() < 1e-9,
            "{id}"
        );
        assert!(
            (choice.hold_value - row.number("hold_value")).abs() < 1e-9,
            "{id}"
        );
        let by_put = is_exercised_for_dividend(&at, row.number("put_after_ex"));
        assert_eq!(by_put, wanted, "{id}: by the put");
    }
}

#[test]
fn a_price_gives_its_volatility_back_or_a_reason() {
    let mut worst = 0.0_f64;
    for row in golden("implied_vol.csv", 268) {
        let inputs = row.inputs(row.number("t"));
        let (id, quoted) = (row.text("id"), row.number("price"));
        let found = implied_volatility(Style::European, &inputs, quoted, &[]);
        match row.text("status") {
            "ok" => {
                let error = (found.unwrap() - row.number("iv")).abs();
                assert!(error <= row.number("tol_abs").max(1e-8), "{id}: {error:e}");
                worst = worst.max(error);
            }
            "ill_conditioned" => {
                if let Ok(volatility) = found {
                    let again = price(Style::European, &inputs, volatility, &[]).unwrap();
                    assert!(
                        (again / quoted - 1.0).abs() <= 1e-12,
                        "{id}: {again} {quoted}"
                    );
                }
            }
            reason => assert_eq!(found.unwrap_err().name(), reason, "{id}"),
        }
    }
    println!("implied volatility: worst {worst:e}");
}

#[test]
fn a_delta_gives_its_strike() {
    let mut worst = 0.0_f64;
    for row in golden("strike_from_delta.csv", 150) {
        let inputs = row.inputs(row.number("t"));
        let sigma = row.number("sigma");
        let target = row.number("target_delta");
        let strike = strike_from_delta(&inputs, sigma, target).unwrap();
        let wanted = row.number("strike");
        assert!(
            (strike / wanted - 1.0).abs() <= 1e-9,
            "{}: {strike}",
            row.text("id")
        );
        let back = value(Style::European, &inputs.at_strike(strike), sigma, &[]).unwrap();
        assert!((back.delta - target).abs() < 1e-12);
        worst = worst.max((strike / wanted - 1.0).abs());
    }
    println!("strike of a delta: worst {worst:e}");
}

#[test]
fn a_delta_gives_its_strike_on_a_skewed_surface() {
    for right in [Right::Call, Right::Put] {
        for days in [7.0, 30.0, 45.0, 90.0] {
            for level in [0.1, 0.2, 0.45, 0.8] {
                for size in [0.05, 0.16, 0.3, 0.5, 0.7] {
                    let inputs = Inputs {
                        right,
                        spot: 2000.0,
                        strike: f64::NAN,
                        years: days / 365.0,
                        rate: 0.02,
                        dividend_yield: 0.018,
                    };
                    let wanted = right.sign() * size;
                    let strike =
                        delta::strike_from_delta_on(Surface::INDEX, level, &inputs, wanted)
                            .unwrap();
                    let forward = inputs.forward();
                    let own = Surface::INDEX.volatility(level, forward, strike, inputs.years);
                    let found = black_scholes::value(&inputs.at_strike(strike), own);
                    assert!(
                        (found.delta - wanted).abs() < 1e-9,
                        "{right:?} {days} {level} {size}: {strike} {}",
                        found.delta
                    );
                }
            }
        }
    }
}

#[test]
fn symbols_are_read_and_written_in_all_four_styles() {
    let mut styles: HashMap<String, usize> = HashMap::new();
    for row in golden("occ_symbols.csv", 60) {
        let text = row.text("symbol");
        let (symbol, style) = OccSymbol::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(style.name(), row.text("style"), "{text}");
        assert_eq!(symbol.root, row.text("root"));
        assert_eq!(symbol.expiration.to_string(), row.text("expiration"));
        assert_eq!(symbol.right.name(), row.text("type"));
        assert_eq!(symbol.strike_price(), row.number("strike"));
        assert_eq!(symbol.write(style), text);
        for other in SymbolStyle::ALL {
            let (again, _) = OccSymbol::parse(&symbol.write(other)).unwrap();
            assert_eq!(again, symbol, "{text} as {other:?}");
        }
        *styles.entry(style.name().to_owned()).or_default() += 1;
    }
    assert_eq!(styles.len(), 4);
}

#[test]
fn the_income_of_a_sale_is_what_its_words_say() {
    for row in golden("income_metrics.csv", 120) {
        let right = match row.text("kind") {
            "covered_call" => Right::Call,
            "cash_secured_put" => Right::Put,
            other => panic!("{other}"),
        };
        let found = income(&Sale {
            right,
            spot: row.number("s"),
            strike: row.number("k"),
            days: row.number("dte"),
            premium: row.number("premium"),
            contracts: row.number("contracts"),
            multiplier: 100.0,
            fee: row.number("fee_per_contract"),
            stock_basis: row.number("stock_basis"),
            dividend: row.number("dividend"),
        });
        let id = row.text("id");
        for (name, got) in [
            ("gross_premium", found.gross_premium),
            ("fees", found.fees),
            ("net_premium", found.net_premium),
            ("collateral", found.collateral),
        ] {
            assert!(
                (got - row.number(name)).abs() <= 0.005,
                "{id} {name}: {got}"
            );
        }
        for (name, got) in [
            ("premium_yield", found.premium_yield),
            ("premium_yield_annual", found.premium_yield_annual),
            ("static_return", found.static_return),
            ("static_return_annual", found.static_return_annual),
            ("breakeven", found.breakeven),
            ("effective_basis", found.effective_basis),
            ("downside_protection", found.downside_protection),
        ] {
            assert!((got - row.number(name)).abs() <= 1e-9, "{id} {name}: {got}");
        }
        match found.if_called_return {
            Some(got) => assert!((got - row.number("if_called_return")).abs() <= 1e-9, "{id}"),
            None => assert_eq!(row.text("if_called_return"), "", "{id}"),
        }
    }
}

const BASE: Inputs = Inputs {
    right: Right::Call,
    spot: 100.0,
    strike: 105.0,
    years: 0.25,
    rate: 0.03,
    dividend_yield: 0.01,
};

#[test]
fn numbers_that_describe_no_option_are_refused() {
    let faults = [
        Inputs {
            years: -0.1,
            ..BASE
        },
        Inputs {
            years: f64::NAN,
            ..BASE
        },
        Inputs {
            years: f64::INFINITY,
            ..BASE
        },
        Inputs { spot: 0.0, ..BASE },
        Inputs { spot: -1.0, ..BASE },
        Inputs {
            strike: 0.0,
            ..BASE
        },
        Inputs {
            strike: f64::NAN,
            ..BASE
        },
        Inputs {
            rate: f64::NAN,
            ..BASE
        },
        Inputs {
            rate: 1e300,
            ..BASE
        },
        Inputs {
            dividend_yield: f64::INFINITY,
            ..BASE
        },
    ];
    for style in [Style::European, Style::American] {
        for inputs in &faults {
            let found = value(style, inputs, 0.2, &[]);
            assert!(matches!(found, Err(Unpriced::Invalid(_))), "{inputs:?}");
            let found = implied_volatility(style, inputs, 1.0, &[]);
            assert!(matches!(found, Err(Unpriced::Invalid(_))), "{inputs:?}");
        }
        for volatility in [-0.1, f64::NAN, f64::INFINITY, 101.0] {
            let found = value(style, &BASE, volatility, &[]);
            assert!(matches!(found, Err(Unpriced::Invalid(_))), "{volatility}");
        }
        let too_much = [CashDividend {
            years: 0.1,
            amount: 101.0,
        }];
        let found = value(style, &BASE, 0.2, &too_much);
        assert!(matches!(found, Err(Unpriced::Invalid(_))));
        let found = implied_volatility(style, &BASE, f64::NAN, &[]);
        assert!(matches!(found, Err(Unpriced::Invalid(_))));
        let expired = Inputs { years: 0.0, ..BASE };
        let found = implied_volatility(style, &expired, 1.0, &[]);
        assert!(matches!(found, Err(Unpriced::Invalid(_))));
    }
}

#[test]
fn without_time_or_volatility_the_value_is_the_limit() {
    let put = Inputs {
        right: Right::Put,
        strike: 110.0,
        ..BASE
    };
    for style in [Style::European, Style::American] {
        let expired = value(style, &Inputs { years: 0.0, ..put }, 0.2, &[]).unwrap();
        assert_eq!(
            (expired.price, expired.delta, expired.gamma),
            (10.0, -1.0, 0.0)
        );
        let worthless = value(style, &Inputs { years: 0.0, ..BASE }, 0.2, &[]).unwrap();
        assert_eq!((worthless.price, worthless.delta), (0.0, 0.0));
    }
    let forward = 110.0 * (-0.03_f64 * 0.25).exp() - 100.0 * (-0.01_f64 * 0.25).exp();
    let certain = value(Style::European, &put, 0.0, &[]).unwrap();
    assert!((certain.price - forward).abs() < 1e-12);
    let american = value(Style::American, &put, 0.0, &[]).unwrap();
    assert_eq!(
        (american.price, american.delta, american.theta),
        (10.0, -1.0, 0.0)
    );
    // A call that will fall by its dividend is exercised just before, one with none at expiry.
    let call = Inputs {
        strike: 90.0,
        dividend_yield: 0.0,
        ..BASE
    };
    let dividends = [CashDividend {
        years: 0.2,
        amount: 3.0,
    }];
    let found = value(Style::American, &call, 0.0, &dividends).unwrap();
    let wanted = 100.0 - 90.0 * (-0.03_f64 * 0.2).exp();
    assert!((found.price - wanted).abs() < 1e-12, "{found:?}");
    // The limit is where the tree goes.
    for (inputs, dividends) in [(&put, &[][..]), (&call, &dividends[..])] {
        let near = price(Style::American, inputs, 1e-3, dividends).unwrap();
        let limit = price(Style::American, inputs, 0.0, dividends).unwrap();
        assert!((near - limit).abs() < 2e-3, "{near} {limit}");
    }
}

/// Numbers from a seed, for tests only.
struct Draw(u64);

impl Draw {
    fn within(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((self.0 >> 11) as f64 / (1_u64 << 53) as f64)
    }
    fn inputs(&mut self) -> Inputs {
        let spot = self.within(5.0, 500.0);
        Inputs {
            right: if self.within(0.0, 1.0) < 0.5 {
                Right::Call
            } else {
                Right::Put
            },
            spot,
            strike: spot * self.within(0.5, 1.8),
            years: self.within(0.001, 2.5),
            rate: self.within(-0.01, 0.09),
            dividend_yield: self.within(0.0, 0.07),
        }
    }
}

#[test]
fn no_number_is_ever_nan_and_bounds_hold() {
    let mut draw = Draw(7);
    for round in 0..20_000 {
        let mut inputs = draw.inputs();
        if round % 3 == 0 {
            // Far ends: tiny and huge volatility, time and moneyness.
            inputs.strike = inputs.spot * 10_f64.powf(draw.within(-6.0, 6.0));
            inputs.years = 10_f64.powf(draw.within(-8.0, 2.0));
        }
        let volatility = 10_f64.powf(draw.within(-6.0, 2.0));
        let european = value(Style::European, &inputs, volatility, &[]).unwrap();
        assert!(
            greeks(&european).iter().all(|(_, g)| g.is_finite()),
            "{inputs:?} {volatility}"
        );
        assert!(
            european.price >= 0.0
                && european.price <= black_scholes::upper_bound(&inputs) * (1.0 + 1e-12)
        );
        if round % 10 != 0 {
            continue;
        }
        let american = value(Style::American, &inputs, volatility, &[]).unwrap();
        assert!(
            greeks(&american).iter().all(|(_, g)| g.is_finite()),
            "{inputs:?} {volatility}"
        );
        let bound = match inputs.right {
            Right::Call => inputs.spot,
            Right::Put => inputs.strike,
        } * (1.0 + 1e-9)
            * (-(inputs.rate.min(0.0)) * inputs.years).exp();
        assert!(american.price >= european.price, "{inputs:?} {volatility}");
        assert!(
            american.price <= bound.max(european.price),
            "{inputs:?} {volatility} {}",
            american.price
        );
        assert!(american.price >= inputs.right.intrinsic(inputs.spot, inputs.strike));
    }
}

#[test]
fn greeks_are_the_slopes_of_the_value() {
    let mut draw = Draw(11);
    for _ in 0..300 {
        let inputs = draw.inputs();
        let sigma = draw.within(0.1, 0.8);
        let dividends = [CashDividend {
            years: 0.4 * inputs.years,
            amount: 0.01 * inputs.spot,
        }];
        let found = value(Style::European, &inputs, sigma, &dividends).unwrap();
        let at = |inputs: Inputs, sigma: f64| {
            price(Style::European, &inputs, sigma, &dividends).unwrap()
        };
        let near = |name: &str, got: f64, up: f64, down: f64, step: f64| {
            let wanted = (up - down) / (2.0 * step);
            assert!(
                (got - wanted).abs() <= 2e-5 * inputs.spot.max(wanted.abs()),
                "{name}: {got} {wanted} {inputs:?}"
            );
        };
        let h = 1e-4 * inputs.spot;
        let moved = |by: f64| inputs.at_spot(inputs.spot + by);
        near(
            "delta",
            found.delta,
            at(moved(h), sigma),
            at(moved(-h), sigma),
            h,
        );
        near(
            "vega",
            found.vega,
            at(inputs, sigma + 1e-4),
            at(inputs, sigma - 1e-4),
            1e-4,
        );
        let rated = |by: f64| Inputs {
            rate: inputs.rate + by,
            ..inputs
        };
        near(
            "rho",
            found.rho,
            at(rated(1e-5), sigma),
            at(rated(-1e-5), sigma),
            1e-5,
        );
        // Time passes for the option and its dividend alike.
        let later = |by: f64| {
            let moved = [CashDividend {
                years: dividends[0].years - by,
                ..dividends[0]
            }];
            let inputs = Inputs {
                years: inputs.years - by,
                ..inputs
            };
            price(Style::European, &inputs, sigma, &moved).unwrap()
        };
        let h = 1e-6;
        near("theta", found.theta, later(h), later(-h), h);
    }
}

#[test]
fn american_greeks_are_the_slopes_of_a_fine_tree() {
    let mut draw = Draw(13);
    let mut looked = 0;
    for _ in 0..60 {
        let inputs = draw.inputs();
        let sigma = draw.within(0.15, 0.6);
        let found = value(Style::American, &inputs, sigma, &[]).unwrap();
        if found.price <= inputs.right.intrinsic(inputs.spot, inputs.strike) + 1e-3 * inputs.strike
            || found.price < 1e-3 * inputs.strike
        {
            continue;
        }
        looked += 1;
        let at = |inputs: Inputs, sigma: f64| tree::price(&inputs, sigma, &[], 2001);
        let near = |name: &str, got: f64, up: f64, down: f64, step: f64, tolerance: f64| {
            let wanted = (up - down) / (2.0 * step);
            assert!(
                (got - wanted).abs() <= tolerance,
                "{name}: {got} {wanted} {inputs:?} {sigma}"
            );
        };
        let (s, k) = (inputs.spot, inputs.strike);
        let h = 0.005 * s;
        let moved = |by: f64| inputs.at_spot(s + by);
        near(
            "delta",
            found.delta,
            at(moved(h), sigma),
            at(moved(-h), sigma),
            h,
            5e-3,
        );
        near(
            "vega",
            found.vega,
            at(inputs, sigma + 0.01),
            at(inputs, sigma - 0.01),
            0.01,
            0.01 * k,
        );
        let rated = |by: f64| Inputs {
            rate: inputs.rate + by,
            ..inputs
        };
        near(
            "rho",
            found.rho,
            at(rated(0.002), sigma),
            at(rated(-0.002), sigma),
            0.002,
            0.02 * k,
        );
        let later = |by: f64| Inputs {
            years: inputs.years - by,
            ..inputs
        };
        let h = 0.01 * inputs.years;
        near(
            "theta",
            found.theta,
            at(later(h), sigma),
            at(later(-h), sigma),
            h,
            0.01 * k + 0.02 * found.theta.abs(),
        );
    }
    assert!(looked > 20, "{looked}");
}

#[test]
fn an_american_price_gives_its_volatility_back() {
    let mut draw = Draw(17);
    let mut looked = 0;
    for _ in 0..200 {
        let inputs = draw.inputs();
        let sigma = draw.within(0.08, 1.2);
        let dividends = [CashDividend {
            years: 0.5 * inputs.years,
            amount: 0.01 * inputs.spot,
        }];
        for dividends in [&[][..], &dividends[..]] {
            let found = value(Style::American, &inputs, sigma, dividends).unwrap();
            let implied = implied_volatility(Style::American, &inputs, found.price, dividends);
            if found.vega < 1e-3 * inputs.spot {
                // Little volatility is left in it: any answer that gives the price again will do.
                if let Ok(implied) = implied {
                    let again = price(Style::American, &inputs, implied, dividends).unwrap();
                    assert!((again - found.price).abs() < 1e-6 * inputs.strike);
                }
                continue;
            }
            looked += 1;
            let implied = implied.unwrap();
            assert!(
                (implied - sigma).abs() < 1e-7,
                "{implied} {sigma} {inputs:?}"
            );
        }
    }
    assert!(looked > 150, "{looked}");
    let put = Inputs {
        right: Right::Put,
        strike: 120.0,
        ..BASE
    };
    let refused = |price| implied_volatility(Style::American, &put, price, &[]).unwrap_err();
    assert_eq!(refused(20.0), Unpriced::BelowIntrinsic);
    assert_eq!(refused(-1.0), Unpriced::BelowIntrinsic);
    assert_eq!(refused(120.0), Unpriced::AboveMax);
}

#[test]
fn the_smile_gives_the_index_back() {
    // The model-free volatility of the smile, by the sum over out-of-the-money options that the
    // index itself is made of, is the index: the published ratio is 0.99.
    for index in [0.12, 0.2, 0.35] {
        let (years, forward) = (30.0 / 365.0, 100.0);
        let step = 0.05;
        let mut sum = 0.0;
        let mut strike = 20.0;
        while strike < 300.0 {
            let volatility = Surface::INDEX.volatility(index, forward, strike, years);
            let inputs = Inputs {
                right: if strike < forward {
                    Right::Put
                } else {
                    Right::Call
                },
                spot: forward,
                strike,
                years,
                rate: 0.0,
                dividend_yield: 0.0,
            };
            sum += step / (strike * strike) * black_scholes::price(&inputs, volatility);
            strike += step;
        }
        let ratio = (2.0 * sum / years).sqrt() / index;
        println!("model-free volatility over the index at {index}: {ratio:.4}");
        assert!((0.97..1.01).contains(&ratio), "{ratio}");
    }
}

#[test]
fn surfaces_say_what_they_are() {
    let at = |x: f64| {
        let strike = 100.0 * (x * 0.2 * (0.25_f64).sqrt()).exp();
        Surface::INDEX.volatility(0.2, 100.0, strike, 0.25) / 0.2
    };
    for x in [-3.0, -1.0, 0.0, 0.5, 2.0] {
        assert!((at(x) - (0.86 - 0.25 * x + 0.02 * x * x)).abs() < 1e-9);
    }
    assert!((at(-5.0) - at(-3.0)).abs() < 1e-12);
    assert!((at(3.0) - 0.29).abs() < 1e-12);
    let steep = Surface::Skew {
        level: 0.5,
        slope: -0.25,
        curvature: 0.0,
    };
    assert!((steep.volatility(0.2, 100.0, 200.0, 0.25) / 0.2 - 0.2).abs() < 1e-12);
    assert!(Surface::INDEX.warning().is_none());
    assert!(Surface::Flat.warning().is_some());
    assert_eq!(Surface::Flat.volatility(0.2, 100.0, 130.0, 0.1), 0.2);
    assert!(Surface::INDEX.volatility(0.0, 100.0, 90.0, 0.1) == 0.0);
    assert!(Surface::INDEX.volatility(0.2, 100.0, 90.0, 0.0).is_finite());
    assert!(
        (Surface::Flat
            .shifted(0.05)
            .volatility(0.2, 100.0, 90.0, 0.1)
            - 0.21)
            .abs()
            < 1e-12
    );
    assert!((surface::scaled(0.2, 3.0, 1.0) - 0.6).abs() < 1e-12);
    assert!((surface::scaled(0.2, 30.0, 1.0) - 0.8).abs() < 1e-12);
}

#[test]
fn terms_are_flat_then_return_to_the_median() {
    let day = 1.0 / 365.0;
    assert_eq!(surface::at_term(0.3, 0.04, 60.0 * day), 0.3);
    let t = 0.5_f64;
    let share = (1.0 - (-4.0 * t).exp()) / (4.0 * t);
    let wanted = (0.04 + (0.09 - 0.04) * share).sqrt();
    assert!((surface::at_term(0.3, 0.04, t) - wanted).abs() < 1e-12);
    // Total variance never falls with time.
    let mut before = 0.0;
    for days in 1..400 {
        let t = f64::from(days) * day;
        let volatility = surface::at_term(0.8, 0.03, t);
        let total = volatility * volatility * t;
        assert!(total >= before - 1e-15, "{days}");
        before = total;
    }
    let terms = [(9.0 * day, 0.3), (30.0 * day, 0.2), (93.0 * day, 0.22)];
    let at = |days: f64| surface::between_terms(&terms, days * day).unwrap();
    assert_eq!(
        (at(1.0), at(9.0), at(30.0), at(365.0)),
        (0.3, 0.3, 0.2, 0.22)
    );
    let wanted = ((30.0 * 0.04 + 93.0 * 0.0484) / 2.0 / 61.5_f64).sqrt();
    assert!((at(61.5) - wanted).abs() < 1e-12);
    assert_eq!(surface::between_terms(&[], 0.1), None);
    let medians = surface::expanding_median_variance(&[f64::NAN, 0.1, 0.3, 0.2]);
    assert!(medians[0].is_nan());
    assert!((medians[1] - 0.01).abs() < 1e-15);
    assert!((medians[2] - 0.05).abs() < 1e-15);
    assert!((medians[3] - 0.04).abs() < 1e-15);
}

#[test]
fn realised_volatility_stands_in_with_a_factor_and_a_floor() {
    let closes = [100.0_f64, 101.0, 99.0, 102.0, 100.0];
    let returns: Vec<f64> = closes.windows(2).map(|w| (w[1] / w[0]).ln()).collect();
    let mean = returns.iter().sum::<f64>() / 4.0;
    let variance: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 3.0;
    let found = surface::realised(&closes, 252.0).unwrap();
    assert!((found - (252.0 * variance).sqrt()).abs() < 1e-12);
    assert_eq!(surface::realised(&[1.0, 2.0], 252.0), None);
    assert_eq!(surface::realised(&[1.0, 0.0, 2.0], 252.0), None);
    assert!((surface::from_realised(0.2, surface::REALISED_TO_IMPLIED) - 0.23).abs() < 1e-12);
    assert_eq!(surface::from_realised(0.01, 1.15), surface::IMPLIED_MIN);
}

/// The figure of Python's `statistics.variance` on five bars; the mean and the efficiency that the
/// paper promises (1 + 1 / k, 8.5 for ten bars) on bars of a walk with drift and overnight jumps.
#[test]
fn yang_zhang_has_no_bias_and_varies_as_little_as_published() {
    let bars = [
        [100.0, 101.0, 99.0, 100.0],
        [102.0, 104.0, 101.0, 103.0],
        [101.0, 103.0, 100.0, 102.0],
        [103.0, 103.5, 100.5, 101.0],
        [100.0, 102.0, 99.5, 101.5],
    ];
    let found = surface::yang_zhang(&bars, 252.0).unwrap();
    assert!((found - 0.395_000_103_601_978_24).abs() < 1e-12, "{found}");
    assert_eq!(surface::yang_zhang(&bars[..2], 252.0), None);
    let mut broken = bars;
    broken[2][1] = 99.0;
    assert_eq!(surface::yang_zhang(&broken, 252.0), None);

    let mut walk = crate::chart::Walk(5);
    let (mut ours, mut closes) = (Vec::new(), Vec::new());
    for _ in 0..1_200 {
        let (mut price, mut bars) = (100.0_f64, Vec::new());
        for _ in 0..11 {
            price *= (0.005 * walk.normal() + 0.0005).exp();
            let (open, mut high, mut low) = (price, price, price);
            for _ in 0..400 {
                price *= ((0.0075_f64.powi(2) / 400.0).sqrt() * walk.normal()).exp();
                (high, low) = (high.max(price), low.min(price));
            }
            bars.push([open, high, low, price]);
        }
        let close: Vec<f64> = bars.iter().map(|b| b[3]).collect();
        ours.push(surface::yang_zhang(&bars, 1.0).unwrap().powi(2));
        closes.push(surface::realised(&close, 1.0).unwrap().powi(2));
    }
    let truth = 0.005_f64.powi(2) + 0.0075_f64.powi(2);
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let variance = |v: &[f64]| mean(&v.iter().map(|x| (x - mean(v)).powi(2)).collect::<Vec<_>>());
    assert!(
        (mean(&ours) / truth - 1.0).abs() < 0.06,
        "{}",
        mean(&ours) / truth
    );
    let efficiency = variance(&closes) / variance(&ours);
    assert!((6.0..11.0).contains(&efficiency), "{efficiency}");
}
