//! Columns as lines: broken where there is no value, thinned where there are more points than a
//! picture can show.
//!
//! Thinning keeps the first, lowest, highest and last value of every column that is narrower than
//! the pen (M4), so that every extreme stays and the ink is that of all points (Jugel, Jerzak, Hackenbroich, Markl: M4, a
//! visualization-oriented time series data aggregation, VLDB 2014).

/// A point of a chart: position along the time axis, value.
pub(super) type Point = (f64, f64);

/// First, lowest, highest and last point of a narrow column.
struct Bucket {
    column: i64,
    first: Point,
    low: Point,
    high: Point,
    last: Point,
}

impl Bucket {
    fn new(column: i64, point: Point) -> Bucket {
        Bucket {
            column,
            first: point,
            low: point,
            high: point,
            last: point,
        }
    }

    fn add(&mut self, point: Point) {
        if point.1 < self.low.1 {
            self.low = point;
        }
        if point.1 > self.high.1 {
            self.high = point;
        }
        self.last = point;
    }

    /// Appends what is kept, in order of time and without repeats.
    fn flush(&self, line: &mut Vec<Point>) {
        let (a, b) = if self.low.0 <= self.high.0 {
            (self.low, self.high)
        } else {
            (self.high, self.low)
        };
        for point in [self.first, a, b, self.last] {
            if line.last() != Some(&point) {
                line.push(point);
            }
        }
    }
}

/// The lines of a column: one a run of values, at most four points a narrow column.
///
/// `position` gives the place of element `i` on the axis `range`, which is `columns` columns wide.
pub(super) fn lines(
    value: &[f64],
    position: impl Fn(usize) -> f64,
    range: (f64, f64),
    columns: f64,
) -> Vec<Vec<Point>> {
    let scale = columns / (range.1 - range.0);
    let mut all: Vec<Vec<Point>> = Vec::new();
    let mut line: Vec<Point> = Vec::new();
    let mut bucket: Option<Bucket> = None;
    for (i, &v) in value.iter().enumerate() {
        if !v.is_finite() {
            if let Some(bucket) = bucket.take() {
                bucket.flush(&mut line);
                all.push(std::mem::take(&mut line));
            }
            continue;
        }
        let point = (position(i), v);
        let column = ((point.0 - range.0) * scale) as i64;
        match &mut bucket {
            Some(bucket) if bucket.column == column => bucket.add(point),
            other => {
                if let Some(full) = other.take() {
                    full.flush(&mut line);
                }
                *other = Some(Bucket::new(column, point));
            }
        }
    }
    if let Some(bucket) = bucket {
        bucket.flush(&mut line);
        all.push(line);
    }
    all
}

/// Lowest and highest of all finite values, `None` without any.
pub(super) fn extent<'a>(columns: impl IntoIterator<Item = &'a [f64]>) -> Option<(f64, f64)> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for column in columns {
        for &v in column {
            if v.is_finite() {
                low = low.min(v);
                high = high.max(v);
            }
        }
    }
    (low <= high).then_some((low, high))
}

/// Index and value of the last finite element.
pub(super) fn last_value(column: &[f64]) -> Option<(usize, f64)> {
    column
        .iter()
        .enumerate()
        .rev()
        .find(|(_, v)| v.is_finite())
        .map(|(i, v)| (i, *v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_every_extreme_and_breaks_at_gaps() {
        let mut value: Vec<f64> = (0..10_000).map(|i| f64::from(i % 97)).collect();
        value[5000] = f64::NAN;
        value[7777] = 1000.0;
        let lines = lines(&value, |i| i as f64, (0.0, 10_000.0), 100.0);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().map(Vec::len).sum::<usize>() <= 404);
        assert!(lines[1].contains(&(7777.0, 1000.0)));
        assert!(lines.iter().flatten().is_sorted_by(|a, b| a.0 < b.0));
    }
}
