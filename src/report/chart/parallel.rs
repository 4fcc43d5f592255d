//! `parallel.png`: every trial as a line through the values of its params to its objective.
//!
//! The best tenth is coloured and lies on top. Lines are spread a little around each value, since
//! trials of a grid would cover each other. Which trials are shown when there are too many is left
//! to the caller, which says so in the notes.

use crate::error::{Error, Result};
use crate::report::chart::Picture;
use crate::report::chart::axis::ValueAxis;
use crate::report::chart::backend::{Align, Canvas, Type};
use crate::report::chart::number::grouped;
use crate::report::chart::page::{
    AXIS, BLUE, CONTENT, INK, MARGIN, NOTE, PALETTE, Page, TEXT_SOFT,
};
use crate::report::chart::trials::{Objective, Varied, named_slots, widest};
use plotters::prelude::RGBColor;

/// Most params beside the objective.
const AXES_MAX: usize = 11;
/// Height of the axes.
const HEIGHT: f64 = 400.0;
/// Most that a line is moved off its value.
const SPREAD_MAX: f64 = 5.0;
/// Names of axes.
const NAME: Type = Type {
    size: 10.0,
    bold: true,
    color: INK,
};
/// Words about the best trial: its orange, dark enough to be read.
const BEST_WORDS: RGBColor = RGBColor(0xB4, 0x60, 0x04);
/// Names of values.
const SMALL: Type = Type { size: 9.5, ..AXIS };

/// One trial of a [`ParallelChart`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParallelTrial {
    /// Index of its value on each axis.
    pub point: Vec<u32>,
    /// Its objective, `None` where that is absent.
    pub objective: Option<f64>,
    /// It is of the best tenth.
    pub top: bool,
}

/// What `parallel.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParallelChart {
    /// Name of the strategy.
    pub title: String,
    /// Number of trials, period and symbols, in one line.
    pub subtitle: String,
    /// Params from left to right; eleven are drawn and the rest counted.
    pub axes: Vec<Varied>,
    /// What the axis at the right shows.
    pub objective: Objective,
    /// Trials, all or a sample of some thousands.
    pub trials: Vec<ParallelTrial>,
    /// Which of `trials` is the best.
    pub best: Option<usize>,
    /// Small print, with the rule of the sample where it is one.
    pub notes: Vec<String>,
}

impl ParallelChart {
    /// Draws the trials, with the boxes of the labels.
    ///
    /// # Errors
    /// When a trial has not one value for each axis.
    pub fn draw(&self) -> Result<Picture> {
        draw(self)
    }
}

/// The bytes of `parallel.png`.
///
/// # Errors
/// As [`ParallelChart::draw`].
pub fn parallel(chart: &ParallelChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}

fn draw(chart: &ParallelChart) -> Result<Picture> {
    check(chart)?;
    let mut page = Page::new(&chart.title, &chart.subtitle)?;
    page.divider();
    legend(&mut page, chart);
    let shown = &chart.axes[..chart.axes.len().min(AXES_MAX)];
    let plan = Plan::new(&page, chart, shown);
    plan.trials(chart);
    let best = chart.best.and_then(|at| chart.trials.get(at));
    for (nth, axis) in shown.iter().enumerate() {
        let best = best.and_then(|trial| trial.point.get(nth));
        plan.axis(nth, axis, best.map(|value| *value as usize));
    }
    plan.objective(chart);
    page.y = plan.top + HEIGHT + 16.0;
    let left_out = chart.axes.len() - shown.len();
    if left_out > 0 {
        page.note(&format!(
            "{AXES_MAX} of {} params; {left_out} more not shown.",
            chart.axes.len()
        ));
    }
    page.notes(&chart.notes);
    page.finish()
}

fn check(chart: &ParallelChart) -> Result<()> {
    let fits = |trial: &ParallelTrial| {
        let mut pairs = trial.point.iter().zip(&chart.axes);
        trial.point.len() == chart.axes.len()
            && pairs.all(|(value, axis)| (*value as usize) < axis.values.len())
    };
    match chart.trials.iter().position(|trial| !fits(trial)) {
        None => Ok(()),
        Some(at) => Err(Error::msg(format!(
            "trial {at} has no value on one of the {} axes",
            chart.axes.len()
        ))),
    }
}

fn legend(page: &mut Page, chart: &ParallelChart) {
    let absent = chart.trials.iter().filter(|t| !is_known(t)).count();
    let top = chart.trials.iter().filter(|t| t.top).count();
    let rest = chart
        .trials
        .iter()
        .filter(|t| !t.top && is_known(t))
        .count();
    let count = |n: usize| grouped(n as f64, 0);
    page.y += 22.0;
    let (canvas, y) = (page.canvas.clone(), page.y);
    let mut x = MARGIN;
    let mut say = |text: String, width: f64, color: RGBColor| {
        canvas.rule((x, y - 3.6), (x + 18.0, y - 3.6), width, color);
        canvas.text(&text, (x + 25.0, y), Align::Left, NOTE);
        x += 25.0 + canvas.width(&text, NOTE) + 26.0;
    };
    if chart.best.is_some() {
        say("best trial".to_string(), 2.4, PALETTE[1]);
    }
    for (words, number, width, color) in [
        (format!("best tenth ({})", count(top)), top, 1.5, BLUE),
        (
            format!("other trials ({})", count(rest)),
            rest,
            1.5,
            TEXT_SOFT,
        ),
        (
            format!("without a result ({}), end early", count(absent)),
            absent,
            0.75,
            TEXT_SOFT,
        ),
    ] {
        if number > 0 {
            say(words, width, color);
        }
    }
    page.y += 14.0;
}

fn is_known(trial: &ParallelTrial) -> bool {
    trial.objective.is_some_and(f64::is_finite)
}

/// A number in -1..1 that follows from two others (splitmix64), to spread lines.
fn spread(trial: usize, axis: usize) -> f64 {
    let mut z = (trial as u64)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add((axis as u64 + 1).wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Where axes and values are.
struct Plan {
    canvas: Canvas,
    /// Top of the axes.
    top: f64,
    /// Number of values of each axis, and whether larger ones are higher up.
    slots: Vec<(usize, bool)>,
    /// Distance of two axes, and the place of the first.
    step: f64,
    left: f64,
    /// Names of axes are too long to stand side by side.
    two_rows: bool,
    /// The axis of the objective.
    value: ValueAxis,
}

impl Plan {
    fn new(page: &Page, chart: &ParallelChart, shown: &[Varied]) -> Plan {
        let known = chart.trials.iter().filter_map(|t| t.objective);
        let known = known.filter(|v| v.is_finite());
        let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        });
        let range = if low <= high { (low, high) } else { (0.0, 1.0) };
        let words = chart.objective.axis_words();
        // Names of values stand to the left of an axis, those of the objective to the right.
        let (left, right) = (MARGIN + 52.0, MARGIN + CONTENT - 64.0);
        let step = (right - left) / shown.len().max(1) as f64;
        let mut names: Vec<String> = shown.iter().map(|axis| axis.name.clone()).collect();
        names.push(chart.objective.name.clone());
        let two_rows = widest(&page.canvas, &names, f64::INFINITY, NAME) > step - 12.0;
        Plan {
            canvas: page.canvas.clone(),
            top: page.y + if two_rows { 34.0 } else { 21.0 },
            two_rows,
            slots: shown
                .iter()
                .map(|axis| (axis.values.len(), axis.is_numeric()))
                .collect(),
            step,
            left,
            value: ValueAxis::new(range, false, HEIGHT, words),
        }
    }

    fn x(&self, nth: usize) -> f64 {
        self.left + nth as f64 * self.step
    }

    /// Height on the page of a value of an axis.
    fn y(&self, nth: usize, value: usize) -> f64 {
        let (count, upwards) = self.slots[nth];
        let share = (value as f64 + 0.5) / count.max(1) as f64;
        self.top + HEIGHT * if upwards { 1.0 - share } else { share }
    }

    fn objective_y(&self, value: f64) -> f64 {
        let (low, high) = self.value.range;
        self.top + HEIGHT * (1.0 - (self.value.place(value) - low) / (high - low))
    }

    fn line(&self, at: usize, trial: &ParallelTrial, jitter: bool) -> Vec<(f64, f64)> {
        let mut line: Vec<(f64, f64)> = Vec::with_capacity(self.slots.len() + 1);
        for (nth, (&value, &(count, _))) in trial.point.iter().zip(&self.slots).enumerate() {
            let room = (HEIGHT / count.max(1) as f64 * 0.3).min(SPREAD_MAX);
            let off = if jitter { spread(at, nth) * room } else { 0.0 };
            line.push((self.x(nth), self.y(nth, value as usize) + off));
        }
        if let Some(value) = trial.objective.filter(|v| v.is_finite()) {
            line.push((self.x(self.slots.len()), self.objective_y(value)));
        }
        line
    }

    /// All lines: the ordinary first, the best tenth over them, the best on top.
    fn trials(&self, chart: &ParallelChart) {
        let count = chart.trials.len() as f64;
        // The more lines, the thinner the ink, so that where they bundle can be seen.
        let opacity = (60.0 / count.max(1.0)).clamp(0.1, 0.7);
        for (top, color, opacity) in [
            (false, TEXT_SOFT, opacity),
            (true, BLUE, (opacity * 3.0).min(0.8)),
        ] {
            for (at, trial) in chart.trials.iter().enumerate() {
                if trial.top == top {
                    self.canvas
                        .curve(&self.line(at, trial, count > 1.0), 0.8, color, opacity);
                }
            }
        }
        if let Some(best) = chart.best.and_then(|at| chart.trials.get(at)) {
            self.canvas.curve(
                &self.line(0, best, false),
                3.6,
                RGBColor(255, 255, 255),
                0.9,
            );
            self.canvas
                .curve(&self.line(0, best, false), 2.2, PALETTE[1], 1.0);
        }
    }

    /// The line of an axis, its name above it; long names of neighbours stand in two rows.
    fn upright(&self, nth: usize, name: &str) {
        let x = self.x(nth);
        self.canvas
            .rule((x, self.top), (x, self.top + HEIGHT), 1.0, INK);
        let style = NAME;
        let raised = if self.two_rows && nth % 2 == 1 {
            13.0
        } else {
            0.0
        };
        let steps = if self.two_rows { 2.0 } else { 1.0 };
        let room = (self.step * steps - 12.0).min(2.0 * (MARGIN + 48.0));
        let word = self.canvas.fonts().shorten(name, room, style.size, true);
        let half = self.canvas.width(&word, style) / 2.0;
        let x = x.clamp(half + 4.0, MARGIN * 2.0 + CONTENT - half - 4.0);
        let at = (x, self.top - 9.0 - raised);
        self.canvas.text(&word, at, Align::Center, style);
    }

    /// An axis with its values, that of the best trial among them.
    fn axis(&self, nth: usize, axis: &Varied, best: Option<usize>) {
        self.upright(nth, &axis.name);
        let slot = HEIGHT / axis.values.len().max(1) as f64;
        let mut named = named_slots(&axis.values, slot, 7.0, |_| 12.5);
        if let Some(best) = best {
            named.retain(|i| i.abs_diff(best) as f64 * slot >= 13.0);
        }
        for i in named {
            self.value(nth, axis, i, SMALL);
        }
        if let Some(best) = best {
            let style = Type {
                bold: true,
                color: BEST_WORDS,
                ..SMALL
            };
            self.value(nth, axis, best, style);
        }
    }

    fn value(&self, nth: usize, axis: &Varied, i: usize, style: Type) {
        let Some(word) = axis.values.get(i) else {
            return;
        };
        let (x, y) = (self.x(nth), self.y(nth, i));
        let room = (self.step - 14.0).clamp(18.0, 50.0);
        self.canvas.rule((x - 3.0, y), (x, y), 1.0, INK);
        let word = self
            .canvas
            .fonts()
            .shorten(word, room, style.size, style.bold);
        let at = (x - 6.0, y + 0.357 * style.size);
        self.canvas.text_over_lines(&word, at, Align::Right, style);
    }

    fn objective(&self, chart: &ParallelChart) {
        let nth = self.slots.len();
        self.upright(nth, &chart.objective.name);
        let x = self.x(nth);
        if !chart.trials.iter().any(is_known) {
            return;
        }
        let best = chart.best.and_then(|at| chart.trials.get(at)?.objective);
        let best = best.filter(|v| v.is_finite());
        if let Some(best) = best {
            let style = Type {
                bold: true,
                color: BEST_WORDS,
                ..SMALL
            };
            let at = (x + 7.0, self.objective_y(best) + 0.357 * SMALL.size);
            let label = chart.objective.words(best);
            let label = self.canvas.fonts().shorten(&label, 60.0, SMALL.size, true);
            self.canvas.text(&label, at, Align::Left, style);
        }
        for (value, label) in &self.value.ticks {
            let y = self.objective_y(*value);
            if best.is_some_and(|best| (self.objective_y(best) - y).abs() < 13.0) {
                continue;
            }
            self.canvas.rule((x, y), (x + 3.0, y), 1.0, INK);
            let at = (x + 7.0, y + 0.357 * SMALL.size);
            let label = self.canvas.fonts().shorten(label, 60.0, SMALL.size, false);
            self.canvas.text(&label, at, Align::Left, SMALL);
        }
    }
}
