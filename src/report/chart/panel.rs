//! A panel: a plotters coordinate system with its grid, axis labels, lines and line-end labels.
//!
//! Where panels stand and what they show is left to the pictures; pixels are left to the canvas.

use crate::error::{Error, Result};
use crate::report::chart::axis::{Clock, ValueAxis};
use crate::report::chart::backend::{Align, Backend, Canvas, Type, points, units};
use crate::report::chart::line::{Point, lines};
use crate::report::chart::page::{AXIS, GRID, TEXT_SOFT};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::prelude::{Color, DrawingArea, LineSeries, RGBColor, ShapeStyle};

type Plane = DrawingArea<Backend, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A box on the page, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// Left edge.
    pub(super) left: f64,
    /// Top edge.
    pub(super) top: f64,
    /// Width.
    pub(super) width: f64,
    /// Height.
    pub(super) height: f64,
}

impl Frame {
    /// Right edge.
    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Bottom edge.
    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// A label at the end of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EndLabel {
    /// Where the line ends, in points.
    pub(super) y: f64,
    /// Name of the line.
    pub(super) name: String,
    /// Last value in words, may be empty.
    pub(super) value: String,
    /// Colour of the words.
    pub(super) color: RGBColor,
}

/// A coordinate system inside a frame.
pub(super) struct Panel {
    canvas: Canvas,
    plane: Plane,
    /// Where it stands.
    pub(super) frame: Frame,
    /// Its time axis from left to right.
    x: (f64, f64),
    /// Its value axis.
    y: ValueAxis,
}

fn drawn<E: std::fmt::Display>(result: std::result::Result<(), E>) -> Result<()> {
    result.map_err(|e| Error::msg(format!("the chart could not be drawn: {e}")))
}

fn stroke(color: RGBColor, width: f64) -> ShapeStyle {
    color.stroke_width(units(width) as u32)
}

impl Panel {
    /// A coordinate system for the places `x` and the axis `y`.
    pub(super) fn new(canvas: &Canvas, frame: Frame, x: (f64, f64), y: ValueAxis) -> Panel {
        let (left, top) = (units(frame.left), units(frame.top));
        let (right, bottom) = (units(frame.right()), units(frame.bottom()));
        let plane = canvas.area().apply_coord_spec(Cartesian2d::new(
            x.0..x.1,
            y.range.0..y.range.1,
            (left..right, bottom..top),
        ));
        Panel {
            canvas: canvas.clone(),
            plane,
            frame,
            x,
            y,
        }
    }

    /// The nearest place on the time axis.
    fn inside(&self, place: f64) -> f64 {
        place.clamp(self.x.0, self.x.1)
    }

    /// Where a place and a value are on the page, in points.
    pub(super) fn at(&self, place: f64, value: f64) -> (f64, f64) {
        let (x, y) = self.plane.map_coordinate(&(place, self.y.place(value)));
        (points(x), points(y))
    }

    /// Horizontal grid lines with their values to the left.
    pub(super) fn grid(&self) -> Result<()> {
        for (value, label) in &self.y.ticks {
            let y = self.y.place(*value);
            let ends = vec![(self.x.0, y), (self.x.1, y)];
            drawn(self.plane.draw(&PathElement::new(ends, stroke(GRID, 0.5))))?;
            let (_, y) = self.at(self.x.0, *value);
            let at = (self.frame.left - 8.0, y + 0.357 * AXIS.size);
            self.canvas.text(label, at, Align::Right, AXIS);
        }
        Ok(())
    }

    /// The base line and the names of moments under the panel.
    pub(super) fn time_labels(&self, clock: &Clock) {
        let (left, bottom) = (self.frame.left, self.frame.bottom());
        self.canvas
            .rule((left, bottom), (self.frame.right(), bottom), 0.5, TEXT_SOFT);
        let measure = |label: &str| self.canvas.width(label, AXIS);
        for tick in clock.ticks(self.frame.width, measure) {
            let x = left + (tick.at - self.x.0) / (self.x.1 - self.x.0) * self.frame.width;
            self.canvas
                .rule((x, bottom), (x, bottom + 3.5), 0.5, TEXT_SOFT);
            self.canvas
                .text(&tick.label, (x, bottom + 15.0), Align::Center, AXIS);
        }
    }

    /// The lines of a column, thinned to the panel's width.
    pub(super) fn trace(&self, value: &[f64], clock: &Clock) -> Vec<Vec<Point>> {
        self.placed(lines(value, |i| clock.place(i), self.x, self.frame.width))
    }

    /// Lines of values as lines of places on the value axis.
    pub(super) fn placed(&self, mut lines: Vec<Vec<Point>>) -> Vec<Vec<Point>> {
        for point in lines.iter_mut().flatten() {
            point.1 = self.y.place(point.1);
        }
        lines
    }

    /// Draws lines; one of a single point becomes a dot.
    pub(super) fn line(&self, lines: &[Vec<Point>], color: RGBColor, width: f64) -> Result<()> {
        for line in lines {
            if let [only] = line[..] {
                let dot = Circle::new(only, units(width.max(2.0)), color.filled());
                drawn(self.plane.draw(&dot))?;
            }
            for part in LineSeries::new(line.iter().copied(), stroke(color, width)) {
                drawn(self.plane.draw(&part))?;
            }
        }
        Ok(())
    }

    /// Fills between lines and the value `base`.
    pub(super) fn fill(
        &self,
        lines: &[Vec<Point>],
        base: f64,
        color: RGBColor,
        opacity: f64,
    ) -> Result<()> {
        let base = self.y.place(base);
        for line in lines {
            let (Some(first), Some(last)) = (line.first(), line.last()) else {
                continue;
            };
            let mut outline = vec![(first.0, base)];
            outline.extend(line.iter().copied());
            outline.push((last.0, base));
            drawn(self.plane.draw(&Polygon::new(outline, color.mix(opacity))))?;
        }
        Ok(())
    }

    /// Fills between two lines over the same places.
    pub(super) fn ribbon(
        &self,
        place: &[f64],
        (low, high): (&[f64], &[f64]),
        color: RGBColor,
        opacity: f64,
    ) -> Result<()> {
        let at = |(place, value): (&f64, &f64)| (self.inside(*place), self.y.place(*value));
        let mut outline: Vec<Point> = place.iter().zip(high).map(at).collect();
        outline.extend(place.iter().zip(low).rev().map(at));
        drawn(self.plane.draw(&Polygon::new(outline, color.mix(opacity))))
    }

    /// A line across the panel at one value, dashed or not.
    pub(super) fn level(&self, value: f64, color: RGBColor, dashed: bool) {
        let (_, y) = self.at(self.x.0, value);
        let (mut x, right) = (self.frame.left, self.frame.right());
        while x < right {
            let end = if dashed { (x + 4.0).min(right) } else { right };
            self.canvas.rule((x, y), (end, y), 0.75, color);
            x = if dashed { x + 7.0 } else { right };
        }
    }

    /// A horizontal stroke from one place to another, long enough to be seen.
    pub(super) fn dash(&self, places: Point, value: f64, color: RGBColor) -> Result<()> {
        self.stroke(places, value, color, 1.0)
    }

    /// The same as thick as asked.
    pub(super) fn stroke(
        &self,
        (from, to): Point,
        value: f64,
        color: RGBColor,
        width: f64,
    ) -> Result<()> {
        let y = self.y.place(value);
        let shortest = 3.0 * (self.x.1 - self.x.0) / self.frame.width;
        let to = self.inside(to.max(from + shortest));
        let ends = vec![(self.inside(from), y), (to, y)];
        drawn(
            self.plane
                .draw(&PathElement::new(ends, stroke(color, width))),
        )
    }

    /// A straight thread between two points, paler than a line.
    pub(super) fn thread(&self, mut ends: Vec<Point>, color: RGBColor) -> Result<()> {
        for end in &mut ends {
            *end = (self.inside(end.0), self.y.place(end.1));
        }
        let style = color.mix(0.55).stroke_width(units(1.0) as u32);
        drawn(self.plane.draw(&PathElement::new(ends, style)))
    }

    /// A triangle that touches a point from below (pointing up) or from above (pointing down).
    pub(super) fn mark(&self, (place, value): Point, size: f64, up: bool, color: RGBColor) {
        let place = place.clamp(self.x.0, self.x.1);
        self.canvas.triangle(self.at(place, value), size, up, color);
    }

    /// A dot on a value.
    pub(super) fn dot(&self, place: f64, value: f64, radius: f64, color: RGBColor) -> Result<()> {
        let at = (place, self.y.place(value));
        drawn(
            self.plane
                .draw(&Circle::new(at, units(radius), color.filled())),
        )
    }

    /// A bar between two values around a place.
    pub(super) fn bar(
        &self,
        places: (f64, f64),
        values: (f64, f64),
        color: RGBColor,
    ) -> Result<()> {
        let corners = [(places.0, values.0), (places.1, values.1)];
        drawn(self.plane.draw(&Rectangle::new(corners, color.filled())))
    }

    /// Names at the right of the frame, pushed apart where lines end together. Names and values
    /// stand in two rows where there is room for all near their lines, else names alone in one.
    pub(super) fn end_labels(&self, mut labels: Vec<EndLabel>, room: f64) {
        let (top, bottom) = (self.frame.top, self.frame.bottom());
        labels.sort_by(|a, b| a.y.total_cmp(&b.y));
        let wanted: Vec<f64> = labels.iter().map(|l| l.y).collect();
        let mut places = pushed_apart(&wanted, 29.0, (top + 2.0, bottom - 6.0));
        let far = places
            .iter()
            .zip(&wanted)
            .any(|(y, wanted)| (y - wanted).abs() > 45.0);
        let two_rows = !far && labels.len() as f64 * 29.0 <= self.frame.height + 21.0;
        if !two_rows {
            let bounds = (top + 1.0, bottom - 1.0);
            labels.truncate(((bounds.1 - bounds.0) / 13.0) as usize + 1);
            places = pushed_apart(&wanted[..labels.len()], 13.0, bounds);
        }
        let x = self.frame.right() + 10.0;
        for (label, y) in labels.iter().zip(places) {
            if (y - label.y).abs() > 4.0 {
                let from = (self.frame.right() + 3.0, label.y);
                self.canvas.rule(from, (x - 2.0, y), 0.5, label.color);
            }
            self.end_label(label, (x, y), room, two_rows);
        }
    }

    fn end_label(&self, label: &EndLabel, (x, y): (f64, f64), room: f64, two_rows: bool) {
        let name = Type {
            size: 10.5,
            bold: true,
            color: label.color,
        };
        let value = Type {
            bold: false,
            ..name
        };
        let fonts = self.canvas.fonts();
        if two_rows && !label.value.is_empty() {
            let text = fonts.shorten(&label.name, room, name.size, true);
            self.canvas.text(&text, (x, y - 2.5), Align::Left, name);
            let figure = fonts.shorten(&label.value, room, value.size, false);
            self.canvas.text(&figure, (x, y + 10.5), Align::Left, value);
            return;
        }
        let text = fonts.shorten(&label.name, room, name.size, true);
        self.canvas.text(&text, (x, y + 3.7), Align::Left, name);
    }
}

/// Places at least `step` apart and inside `bounds`, as near as can be (in least squares) to the
/// rising `wanted` ones.
fn pushed_apart(wanted: &[f64], step: f64, bounds: (f64, f64)) -> Vec<f64> {
    // Less i steps each, places need only not fall: a regression pools what would cross.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (i, &y) in wanted.iter().enumerate() {
        let mut pool = (y - i as f64 * step, 1);
        while let Some(&(level, size)) = pools.last() {
            if level <= pool.0 {
                break;
            }
            let all = size + pool.1;
            pool = (
                (level * size as f64 + pool.0 * pool.1 as f64) / all as f64,
                all,
            );
            pools.pop();
        }
        pools.push(pool);
    }
    let span = wanted.len().saturating_sub(1) as f64 * step;
    let (low, high) = (bounds.0, (bounds.1 - span).max(bounds.0));
    pools
        .iter()
        .flat_map(|&(level, size)| std::iter::repeat_n(level.clamp(low, high), size))
        .enumerate()
        .map(|(i, level)| level + i as f64 * step)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_pushed_apart_and_stay_in_bounds() {
        let places = pushed_apart(&[10.0, 12.0, 13.0, 90.0], 20.0, (0.0, 100.0));
        assert!(places.windows(2).all(|w| w[1] - w[0] >= 20.0 - 1e-9));
        assert!(places[0] >= 0.0 && places[3] <= 100.0);
        assert_eq!(places[3], 90.0);
    }
}
