//! The canvas: plotters' drawing backend on tiny-skia, and the text that is set beside it.
//!
//! plotters speaks in whole numbers, so its unit here is a sixteenth of a point: curves keep
//! their smoothness, and twice the resolution is only a factor. Horizontal and vertical strokes
//! and the edges of boxes are put onto whole pixels so that they stay crisp. What is drawn, and
//! where, is left to the callers.

use crate::error::{Error, Result};
use crate::report::chart::text::{CAP_HEIGHT, DESCENT, Fonts};
use crate::report::chart::{Label, Picture};
use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, RGBColor};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform,
};

/// Width of every picture in points.
pub(super) const WIDTH: f64 = 800.0;
/// No picture is taller than this many points.
pub(super) const HEIGHT_MAX: f64 = 4000.0;
/// Pixels a point.
const SCALE: f64 = 2.0;
/// Backend units a point.
const UNITS: f64 = 16.0;
/// Pixels a metre at 144 dpi.
const PIXELS_PER_METRE: u32 = 5669;

/// Size, weight and colour of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    /// Em in points.
    pub(super) size: f64,
    /// The heavier weight.
    pub(super) bold: bool,
    /// Colour.
    pub(super) color: RGBColor,
}

/// Which part of a text stands at the point that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Its left end.
    Left,
    /// Its middle.
    Center,
    /// Its right end.
    Right,
}

struct Surface {
    pixmap: Pixmap,
    labels: Vec<Label>,
}

/// A sheet to draw on, shared by all areas of a page.
#[derive(Clone)]
pub(super) struct Canvas {
    surface: Rc<RefCell<Surface>>,
    fonts: Rc<Fonts>,
}

/// Backend units of a length in points.
pub(super) fn units(points: f64) -> i32 {
    (points * UNITS).round() as i32
}

/// Points of a length in backend units.
pub(super) fn points(units: i32) -> f64 {
    f64::from(units) / UNITS
}

fn pixels(units: i32) -> f32 {
    (f64::from(units) * (SCALE / UNITS)) as f32
}

fn paint(color: BackendColor) -> Paint<'static> {
    let mut paint = Paint::default();
    let (r, g, b) = color.rgb;
    paint.set_color_rgba8(r, g, b, (color.alpha.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint.anti_alias = true;
    paint
}

fn opaque(color: RGBColor) -> BackendColor {
    BackendColor {
        alpha: 1.0,
        rgb: (color.0, color.1, color.2),
    }
}

impl Canvas {
    /// An empty sheet of the greatest height; untouched rows cost no memory.
    pub(super) fn new() -> Result<Canvas> {
        let (width, height) = ((WIDTH * SCALE) as u32, (HEIGHT_MAX * SCALE) as u32);
        let Some(pixmap) = Pixmap::new(width, height) else {
            return Err(Error::msg("a picture of this size cannot be drawn"));
        };
        Ok(Canvas {
            surface: Rc::new(RefCell::new(Surface {
                pixmap,
                labels: Vec::new(),
            })),
            fonts: Rc::new(Fonts::read()?),
        })
    }

    /// The typeface.
    pub(super) fn fonts(&self) -> &Fonts {
        &self.fonts
    }

    /// The whole sheet as a plotters drawing area.
    pub(super) fn area(&self) -> DrawingArea<Backend, Shift> {
        Backend(self.clone()).into_drawing_area()
    }

    /// Width of a text in points.
    pub(super) fn width(&self, text: &str, style: Type) -> f64 {
        self.fonts.width(text, style.size, style.bold)
    }

    /// Sets a text on a baseline, in points.
    pub(super) fn text(&self, text: &str, (x, baseline): (f64, f64), align: Align, style: Type) {
        self.set(text, (x, baseline), align, style, false);
    }

    /// Sets a text on a baseline with a white edge around it, for places where lines pass.
    pub(super) fn text_over_lines(&self, text: &str, at: (f64, f64), align: Align, style: Type) {
        self.set(text, at, align, style, true);
    }

    fn set(&self, text: &str, (x, y): (f64, f64), align: Align, style: Type, edge: bool) {
        if text.trim().is_empty() {
            return;
        }
        let width = self.width(text, style);
        let left = match align {
            Align::Left => x,
            Align::Center => x - width / 2.0,
            Align::Right => x - width,
        };
        let baseline = (y * SCALE).round() / SCALE;
        let mut path = PathBuilder::new();
        let origin = ((left * SCALE) as f32, (baseline * SCALE) as f32);
        let em = (style.size * SCALE) as f32;
        self.fonts.outline(&mut path, text, origin, em, style.bold);
        let mut surface = self.surface.borrow_mut();
        if let Some(path) = path.finish() {
            if edge {
                let white = opaque(RGBColor(255, 255, 255));
                surface.stroke(&path, white, 3.0 * SCALE as f32);
            }
            surface.fill(&path, opaque(style.color));
        }
        surface.labels.push(Label {
            text: text.to_string(),
            left,
            top: baseline - CAP_HEIGHT * style.size,
            right: left + width,
            bottom: baseline + DESCENT * style.size,
        });
    }

    /// Fills a box with its edges on whole pixels: left, top, width, height in points.
    pub(super) fn fill_box(&self, (x, y, w, h): (f64, f64, f64, f64), color: RGBColor) {
        let (left, top) = (units(x), units(y));
        let (right, bottom) = (units(x + w), units(y + h));
        self.surface
            .borrow_mut()
            .fill_rect((left, top), (right, bottom), opaque(color));
    }

    /// Draws a straight line between two points.
    pub(super) fn rule(&self, from: (f64, f64), to: (f64, f64), width: f64, color: RGBColor) {
        let ends = [(units(from.0), units(from.1)), (units(to.0), units(to.1))];
        let width = (width * SCALE) as f32;
        self.surface
            .borrow_mut()
            .polyline(&ends, opaque(color), width);
    }

    /// Draws a line through points, paler the lower `opacity` (0 to 1) is.
    pub(super) fn curve(&self, line: &[(f64, f64)], width: f64, color: RGBColor, opacity: f64) {
        let line: Vec<BackendCoord> = line.iter().map(|p| (units(p.0), units(p.1))).collect();
        let color = BackendColor {
            alpha: opacity,
            ..opaque(color)
        };
        let width = (width * SCALE) as f32;
        self.surface.borrow_mut().polyline(&line, color, width);
    }

    /// A triangle with a white edge, its tip at a point in points: pointing up from below it, or
    /// down from above.
    pub(super) fn triangle(&self, tip: (f64, f64), size: f64, up: bool, color: RGBColor) {
        let sign = if up { 1.0 } else { -1.0 };
        let mut surface = self.surface.borrow_mut();
        // The white edge keeps neighbours apart and the mark off the line it stands on.
        let edge = if size > 3.0 { 1.0 } else { 0.6 };
        let white = RGBColor(255, 255, 255);
        for (grow, color) in [(edge, white), (0.0, color)] {
            let top = tip.1 - sign * grow * 1.4;
            let base = tip.1 + sign * (size * 1.75 + grow);
            let half = size + grow * 1.6;
            let at = |x: f64, y: f64| ((x * SCALE) as f32, (y * SCALE) as f32);
            let mut path = PathBuilder::new();
            let corners = [
                at(tip.0, top),
                at(tip.0 + half, base),
                at(tip.0 - half, base),
            ];
            path.move_to(corners[0].0, corners[0].1);
            path.line_to(corners[1].0, corners[1].1);
            path.line_to(corners[2].0, corners[2].1);
            path.close();
            if let Some(path) = path.finish() {
                surface.fill(&path, opaque(color));
            }
        }
    }

    /// The picture of the first `height` points of the sheet.
    pub(super) fn finish(&self, height: f64) -> Result<Picture> {
        let surface = self.surface.borrow();
        let width = surface.pixmap.width();
        let rows = ((height * SCALE).ceil() as u32).clamp(1, surface.pixmap.height());
        let used = (width * rows) as usize;
        let mut rgb = vec![0_u8; used * 3];
        // The sheet is premultiplied and clear: laying it on white is one addition a channel.
        let sheet = &surface.pixmap.data()[..used * 4];
        for (to, from) in rgb.chunks_exact_mut(3).zip(sheet.chunks_exact(4)) {
            let white = 255 - from[3];
            to[0] = from[0] + white;
            to[1] = from[1] + white;
            to[2] = from[2] + white;
        }
        Ok(Picture {
            png: encode(width, rows, &rgb)?,
            width,
            height: rows,
            labels: surface.labels.clone(),
        })
    }
}

/// An RGB picture as the bytes of a PNG file.
fn encode(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>> {
    let fail = |e: png::EncodingError| Error::msg(format!("the PNG could not be written: {e}"));
    let mut bytes = Vec::with_capacity(rgb.len() / 8);
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Paeth);
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: PIXELS_PER_METRE,
        yppu: PIXELS_PER_METRE,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().map_err(fail)?;
    writer.write_image_data(rgb).map_err(fail)?;
    writer.finish().map_err(fail)?;
    Ok(bytes)
}

/// Puts the middle of a stroke where its edges fall on whole pixels.
fn crisp(middle: f32, width: f32) -> f32 {
    if (width.round() as i32) % 2 == 0 {
        middle.round()
    } else {
        middle.floor() + 0.5
    }
}

impl Surface {
    fn fill(&mut self, path: &Path, color: BackendColor) {
        self.pixmap.fill_path(
            path,
            &paint(color),
            FillRule::Winding,
            Transform::identity(),
            None,
        );
    }

    fn stroke(&mut self, path: &Path, color: BackendColor, width: f32) {
        let stroke = Stroke {
            width,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Bevel,
            ..Stroke::default()
        };
        self.pixmap
            .stroke_path(path, &paint(color), &stroke, Transform::identity(), None);
    }

    fn fill_rect(&mut self, from: BackendCoord, to: BackendCoord, color: BackendColor) {
        let left = pixels(from.0.min(to.0)).round();
        let top = pixels(from.1.min(to.1)).round();
        let right = pixels(from.0.max(to.0)).round().max(left + 1.0);
        let bottom = pixels(from.1.max(to.1)).round().max(top + 1.0);
        if let Some(rect) = Rect::from_ltrb(left, top, right, bottom) {
            let mut paint = paint(color);
            paint.anti_alias = false;
            self.pixmap
                .fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    fn polyline(&mut self, line: &[BackendCoord], color: BackendColor, width: f32) {
        let mut path = PathBuilder::new();
        if let &[(x0, y0), (x1, y1)] = line
            && (x0 == x1 || y0 == y1)
        {
            let (mut ax, mut ay, mut bx, mut by) = (pixels(x0), pixels(y0), pixels(x1), pixels(y1));
            if y0 == y1 {
                (ay, by) = (crisp(ay, width), crisp(ay, width));
            } else {
                (ax, bx) = (crisp(ax, width), crisp(ax, width));
            }
            path.move_to(ax, ay);
            path.line_to(bx, by);
        } else {
            for (i, &(x, y)) in line.iter().enumerate() {
                if i == 0 {
                    path.move_to(pixels(x), pixels(y));
                } else {
                    path.line_to(pixels(x), pixels(y));
                }
            }
        }
        if let Some(path) = path.finish() {
            self.stroke(&path, color, width);
        }
    }
}

/// The canvas as plotters sees it.
#[derive(Clone)]
pub(super) struct Backend(Canvas);

type Drawn = std::result::Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Backend {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (units(WIDTH) as u32, units(HEIGHT_MAX) as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Drawn {
        let next = (at.0 + units(1.0 / SCALE), at.1 + units(1.0 / SCALE));
        self.0.surface.borrow_mut().fill_rect(at, next, color);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if fill {
            let color = style.color();
            self.0.surface.borrow_mut().fill_rect(from, to, color);
            return Ok(());
        }
        let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.draw_path(corners, style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let line: Vec<BackendCoord> = path.into_iter().collect();
        let width = pixels(style.stroke_width() as i32);
        self.0
            .surface
            .borrow_mut()
            .polyline(&line, style.color(), width);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let circle =
            PathBuilder::from_circle(pixels(center.0), pixels(center.1), pixels(radius as i32));
        if let Some(circle) = circle {
            let mut surface = self.0.surface.borrow_mut();
            if fill {
                surface.fill(&circle, style.color());
            } else {
                surface.stroke(&circle, style.color(), pixels(style.stroke_width() as i32));
            }
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        let mut path = PathBuilder::new();
        for (i, (x, y)) in vert.into_iter().enumerate() {
            if i == 0 {
                path.move_to(pixels(x), pixels(y));
            } else {
                path.line_to(pixels(x), pixels(y));
            }
        }
        path.close();
        if let Some(path) = path.finish() {
            self.0.surface.borrow_mut().fill(&path, style.color());
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let (r, g, b) = style.color().rgb;
        let size = style.size() / UNITS;
        let anchor = style.anchor();
        let align = match anchor.h_pos {
            HPos::Left => Align::Left,
            HPos::Center => Align::Center,
            HPos::Right => Align::Right,
        };
        let drop = match anchor.v_pos {
            VPos::Top => CAP_HEIGHT * size,
            VPos::Center => CAP_HEIGHT * size / 2.0,
            VPos::Bottom => 0.0,
        };
        let style = Type {
            size,
            bold: style.style().as_str() == "bold",
            color: RGBColor(r, g, b),
        };
        self.0
            .text(text, (points(at.0), points(at.1) + drop), align, style);
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> std::result::Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let bold = style.style().as_str() == "bold";
        let width = self.0.fonts.width(text, style.size(), bold);
        Ok((
            width.ceil() as u32,
            (CAP_HEIGHT * style.size()).ceil() as u32,
        ))
    }
}
