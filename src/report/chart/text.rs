//! Words as outlines: the built-in typeface, widths, shortening and wrapping.
//!
//! Sizes are the em in points. A character that the typeface lacks is drawn as `?`. Where text
//! stands on a page is left to the callers; painting is left to the canvas.

use crate::error::{Error, Result};
use ab_glyph::{Font, FontRef, GlyphId, OutlineCurve};
use tiny_skia::PathBuilder;

/// Height of capitals and digits, in em.
pub(super) const CAP_HEIGHT: f64 = 0.714;
/// Depth of descenders, in em.
pub(super) const DESCENT: f64 = 0.22;

/// One weight of the typeface.
struct Face {
    font: FontRef<'static>,
    units_per_em: f32,
}

impl Face {
    fn read(bytes: &'static [u8]) -> Result<Face> {
        let Ok(font) = FontRef::try_from_slice(bytes) else {
            return Err(Error::msg("the built-in typeface is damaged"));
        };
        let units_per_em = font.units_per_em().unwrap_or(1000.0);
        Ok(Face { font, units_per_em })
    }

    /// The glyph of a character: blank for anything that is no ink, `?` for what is missing.
    fn glyph(&self, c: char) -> GlyphId {
        if c.is_whitespace() || c.is_control() {
            return self.font.glyph_id(' ');
        }
        let id = self.font.glyph_id(c);
        if id.0 == 0 {
            return self.font.glyph_id('?');
        }
        id
    }

    fn advance(&self, id: GlyphId) -> f32 {
        self.font.h_advance_unscaled(id) / self.units_per_em
    }
}

/// The typeface in its two weights.
pub(super) struct Fonts {
    regular: Face,
    bold: Face,
}

impl Fonts {
    /// Reads the typeface that is compiled in.
    pub(super) fn read() -> Result<Fonts> {
        Ok(Fonts {
            regular: Face::read(notosans::REGULAR_TTF)?,
            bold: Face::read(notosans::BOLD_TTF)?,
        })
    }

    fn face(&self, bold: bool) -> &Face {
        if bold { &self.bold } else { &self.regular }
    }

    /// Width of a text in points at `size` points an em.
    pub(super) fn width(&self, text: &str, size: f64, bold: bool) -> f64 {
        let face = self.face(bold);
        let mut width = 0.0_f32;
        let mut last: Option<GlyphId> = None;
        for c in text.chars() {
            let id = face.glyph(c);
            if let Some(last) = last {
                width += face.font.kern_unscaled(last, id) / face.units_per_em;
            }
            width += face.advance(id);
            last = Some(id);
        }
        f64::from(width) * size
    }

    /// Adds the outlines of a text to `path`, its baseline starting at (`x`, `y`), `em` pixels an
    /// em.
    pub(super) fn outline(
        &self,
        path: &mut PathBuilder,
        text: &str,
        (x, y): (f32, f32),
        em: f32,
        bold: bool,
    ) {
        let face = self.face(bold);
        let scale = em / face.units_per_em;
        let mut pen = x;
        let mut last: Option<GlyphId> = None;
        for c in text.chars() {
            let id = face.glyph(c);
            if let Some(last) = last {
                pen += face.font.kern_unscaled(last, id) * scale;
            }
            if let Some(outline) = face.font.outline(id) {
                trace(path, &outline.curves, (pen, y), scale);
            }
            pen += face.font.h_advance_unscaled(id) * scale;
            last = Some(id);
        }
    }

    /// The text, cut and ended with `…` where it is wider than `room` points.
    pub(super) fn shorten(&self, text: &str, room: f64, size: f64, bold: bool) -> String {
        let text = text.trim();
        if self.width(text, size, bold) <= room {
            return text.to_string();
        }
        let mut kept: Vec<char> = text.chars().collect();
        // A name of a megabyte is still one line: no need to measure more than could ever fit.
        kept.truncate(400);
        while !kept.is_empty() {
            kept.pop();
            let head: String = kept.iter().collect();
            let cut = format!("{}…", head.trim_end());
            if self.width(&cut, size, bold) <= room {
                return cut;
            }
        }
        "…".to_string()
    }

    /// The text broken between words into lines of at most `room` points, at most `lines_max` of
    /// them (the last is shortened).
    pub(super) fn wrap(&self, text: &str, room: f64, size: f64, lines_max: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let longer = if line.is_empty() {
                word.to_string()
            } else {
                format!("{line} {word}")
            };
            if line.is_empty() || self.width(&longer, size, false) <= room {
                line = longer;
                continue;
            }
            if lines.len() + 1 == lines_max {
                let rest: Vec<&str> = std::iter::once(word).chain(words).collect();
                line = format!("{line} {}", rest.join(" "));
                break;
            }
            lines.push(self.shorten(&line, room, size, false));
            line = word.to_string();
        }
        if !line.is_empty() {
            lines.push(self.shorten(&line, room, size, false));
        }
        lines
    }
}

/// Adds one glyph's contours; glyph outlines grow upwards, pictures downwards.
fn trace(path: &mut PathBuilder, curves: &[OutlineCurve], (x, y): (f32, f32), scale: f32) {
    let at = |p: &ab_glyph::Point| (x + p.x * scale, y - p.y * scale);
    let mut end: Option<ab_glyph::Point> = None;
    for curve in curves {
        let (start, stop) = match curve {
            OutlineCurve::Line(a, b) => (a, b),
            OutlineCurve::Quad(a, _, b) => (a, b),
            OutlineCurve::Cubic(a, _, _, b) => (a, b),
        };
        if end != Some(*start) {
            if end.is_some() {
                path.close();
            }
            let (px, py) = at(start);
            path.move_to(px, py);
        }
        let (bx, by) = at(stop);
        match curve {
            OutlineCurve::Line(..) => path.line_to(bx, by),
            OutlineCurve::Quad(_, c, _) => {
                let (cx, cy) = at(c);
                path.quad_to(cx, cy, bx, by);
            }
            OutlineCurve::Cubic(_, c, d, _) => {
                let ((cx, cy), (dx, dy)) = (at(c), at(d));
                path.cubic_to(cx, cy, dx, dy, bx, by);
            }
        }
        end = Some(*stop);
    }
    if end.is_some() {
        path.close();
    }
}

/// Whether all ten digits are equally wide in both weights, so that columns of figures line up.
///
/// # Errors
/// When the built-in typeface is damaged.
pub fn digits_are_tabular() -> Result<bool> {
    let fonts = Fonts::read()?;
    Ok([false, true].iter().all(|&bold| {
        let face = fonts.face(bold);
        let zero = face.advance(face.glyph('0'));
        ('0'..='9').all(|c| face.advance(face.glyph(c)) == zero)
    }))
}
