//! From a value to a colour that all kinds of eyes can read, and its legend.
//!
//! Where zero parts good from bad, losses are orange, gains blue and zero is near white; the two
//! sides share one scale. Where all values are of one sign, or zero means nothing, one side is
//! spread over all of the range. A few values far from the rest do not bleach them: the scale ends
//! at the 1st and 99th percentile and the legend says so.

use crate::report::chart::backend::{Align, Canvas, Type};
use crate::report::chart::page::{INK, NOTE, TEXT_SOFT};
use crate::report::chart::trials::Objective;
use plotters::prelude::RGBColor;

/// From zero to the worst loss.
const LOSS: [RGBColor; 4] = [
    RGBColor(0xF6, 0xF5, 0xF2),
    RGBColor(0xF9, 0xC9, 0x8F),
    RGBColor(0xDB, 0x79, 0x12),
    RGBColor(0x7A, 0x36, 0x06),
];
/// From zero to the best gain.
const GAIN: [RGBColor; 4] = [
    RGBColor(0xF6, 0xF5, 0xF2),
    RGBColor(0xB4, 0xD2, 0xEA),
    RGBColor(0x45, 0x86, 0xC6),
    RGBColor(0x0A, 0x33, 0x6E),
];
/// From low to high where the sign says nothing.
const SPREAD: [RGBColor; 4] = [
    RGBColor(0xF3, 0xF0, 0xCB),
    RGBColor(0x86, 0xCB, 0xBB),
    RGBColor(0x2B, 0x83, 0xBA),
    RGBColor(0x12, 0x2F, 0x6B),
];
/// Below this luminance a ground asks for white figures.
const DARK: f64 = 0.22;
/// Sizes beyond this are as good as it.
const LARGEST: f64 = 1e300;
/// One side on its own begins this far from white, so that its palest cell is not zero.
const PALEST: f64 = 0.12;

/// The colour between two, channel by channel.
pub(super) fn blend(a: RGBColor, b: RGBColor, share: f64) -> RGBColor {
    let mix = |a: u8, b: u8| {
        let mixed = f64::from(a) + (f64::from(b) - f64::from(a)) * share;
        mixed.round() as u8
    };
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Relative luminance (WCAG 2.1).
fn luminance(color: RGBColor) -> f64 {
    let linear = |c: u8| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            libm::pow((c + 0.055) / 1.055, 2.4)
        }
    };
    0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
}

/// The colour of words on a ground.
pub(super) fn words_on(ground: RGBColor) -> RGBColor {
    if luminance(ground) < DARK {
        RGBColor(255, 255, 255)
    } else {
        INK
    }
}

fn along(stops: &[RGBColor; 4], share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * 3.0;
    let before = (place as usize).min(2);
    blend(stops[before], stops[before + 1], place - before as f64)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sides {
    Both,
    Gain,
    Loss,
    Neither,
}

/// A scale of colours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ramp {
    low: f64,
    high: f64,
    sides: Sides,
    /// Values beyond the ends exist.
    clipped: (bool, bool),
}

impl Ramp {
    /// The scale of all finite `values`.
    pub(super) fn new(values: impl Iterator<Item = f64>, diverging: bool) -> Ramp {
        // The width of the scale must be a number too.
        let finite = values.filter(|v| v.is_finite());
        let mut sorted: Vec<f64> = finite.map(|v| v.clamp(-LARGEST, LARGEST)).collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else {
            return Ramp {
                low: 0.0,
                high: 1.0,
                sides: Sides::Neither,
                clipped: (false, false),
            };
        };
        let last = sorted.len() - 1;
        let (p1, p99) = (last.div_ceil(100), last - last.div_ceil(100));
        let (inner_low, inner_high) = (sorted[p1.min(last)], sorted[p99]);
        // Cut the ends only where they would take more than half of the scale.
        let spread = inner_high - inner_low;
        let is_wild = sorted.len() >= 50 && spread > 0.0 && most - least > 2.0 * spread;
        let (low, high) = if is_wild {
            (
                least.max(inner_low - 0.25 * spread),
                most.min(inner_high + 0.25 * spread),
            )
        } else {
            (least, most)
        };
        let sides = match diverging {
            false => Sides::Neither,
            true if low >= 0.0 => Sides::Gain,
            true if high <= 0.0 => Sides::Loss,
            true => Sides::Both,
        };
        Ramp {
            low,
            high,
            sides,
            clipped: (least < low, most > high),
        }
    }

    /// The colour of a value.
    pub(super) fn color(&self, value: f64) -> RGBColor {
        let value = value.clamp(self.low, self.high);
        let size = self.high.max(-self.low);
        let width = self.high - self.low;
        // All values the same: the middle of the scale.
        let share = if width > 0.0 {
            (value - self.low) / width
        } else {
            0.5
        };
        let spread = |share: f64| PALEST + (1.0 - PALEST) * share;
        match self.sides {
            Sides::Both if value < 0.0 => along(&LOSS, -value / size),
            Sides::Both => along(&GAIN, value / size),
            Sides::Gain => along(&GAIN, spread(share)),
            Sides::Loss => along(&LOSS, spread(1.0 - share)),
            Sides::Neither => along(&SPREAD, share),
        }
    }

    /// Draws the scale as a bar with its middle at `y` and gives where it ends: the name of the
    /// objective, its lowest value, the colours, zero, its highest value.
    pub(super) fn legend(&self, canvas: &Canvas, (x, y): (f64, f64), objective: &Objective) -> f64 {
        const BAR: f64 = 190.0;
        let base = y + 3.6;
        let bold = Type {
            bold: true,
            color: INK,
            ..NOTE
        };
        let name = canvas
            .fonts()
            .shorten(&objective.name, 150.0, NOTE.size, true);
        canvas.text(&name, (x, base), Align::Left, bold);
        let mut x = x + canvas.width(&name, bold) + 14.0;
        let sign = |clipped: bool, sign: &str| {
            if clipped {
                sign.to_string()
            } else {
                String::new()
            }
        };
        let low = format!(
            "{}{}",
            sign(self.clipped.0, "≤ "),
            objective.words(self.low)
        );
        canvas.text(&low, (x, base), Align::Left, NOTE);
        x += canvas.width(&low, NOTE) + 7.0;
        let steps = (BAR * 2.0) as usize;
        for i in 0..steps {
            let share = (i as f64 + 0.5) / steps as f64;
            let color = self.color(self.low + share * (self.high - self.low));
            let left = x + i as f64 * 0.5;
            canvas.fill_box((left, y - 5.0, 0.5, 10.0), color);
        }
        if self.sides == Sides::Both {
            let zero = x + BAR * -self.low / (self.high - self.low);
            canvas.rule((zero, y - 7.0), (zero, y + 7.0), 0.75, TEXT_SOFT);
            let style = Type { size: 8.5, ..NOTE };
            canvas.text("0", (zero, y + 16.0), Align::Center, style);
        }
        x += BAR + 7.0;
        let high = format!(
            "{}{}",
            sign(self.clipped.1, "≥ "),
            objective.words(self.high)
        );
        canvas.text(&high, (x, base), Align::Left, NOTE);
        x + canvas.width(&high, NOTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(color: RGBColor) -> f64 {
        luminance(color)
    }

    #[test]
    fn colours_part_at_zero_and_deepen_with_size() {
        let ramp = Ramp::new([-0.5, 0.0, 1.0].into_iter(), true);
        assert_eq!(ramp.color(0.0), GAIN[0]);
        assert_eq!(ramp.color(1.0), GAIN[3]);
        assert!(lightness(ramp.color(0.5)) > lightness(ramp.color(0.9)));
        // Half the size of the best gain, so half as deep.
        assert_eq!(ramp.color(-0.5), along(&LOSS, 0.5));
    }

    #[test]
    fn one_sign_is_spread_over_its_side_and_equal_values_have_a_colour() {
        let gains = Ramp::new([0.8, 0.9].into_iter(), true);
        assert_eq!(gains.color(0.9), GAIN[3]);
        assert_eq!(gains.color(0.8), along(&GAIN, PALEST));
        let same = Ramp::new([2.0, 2.0].into_iter(), false);
        assert_eq!(same.color(2.0), along(&SPREAD, 0.5));
        let none = Ramp::new(std::iter::empty(), true);
        assert!(!none.clipped.0);
    }

    #[test]
    fn a_wild_value_does_not_bleach_the_rest() {
        let values = (0..200).map(|i| f64::from(i) / 200.0).chain([1e6]);
        let ramp = Ramp::new(values, true);
        assert!(ramp.high < 2.0 && ramp.clipped == (false, true), "{ramp:?}");
        let widest = Ramp::new([f64::MIN, f64::MAX].into_iter(), true);
        assert_eq!(widest.color(f64::MAX), GAIN[3]);
        assert!((widest.high - widest.low).is_finite());
    }
}
