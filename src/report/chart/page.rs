//! The page: its colours and sizes, the heading, the headline figures, section titles and small
//! print, one below the other.
//!
//! Panels and tables are left to their files.

use crate::error::Result;
use crate::report::chart::backend::{Align, Canvas, Type, WIDTH};
use crate::report::chart::panel::Frame;
use crate::report::chart::{Figure, Picture, Role};
use plotters::prelude::RGBColor;

/// Headings and figures.
pub(super) const INK: RGBColor = RGBColor(0x11, 0x18, 0x27);
/// Text that explains.
pub(super) const TEXT: RGBColor = RGBColor(0x6B, 0x72, 0x80);
/// Base lines and ticks.
pub(super) const TEXT_SOFT: RGBColor = RGBColor(0x9C, 0xA3, 0xAF);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0xE5, 0xE7, 0xEB);
/// The strategy's line.
pub(super) const BLUE: RGBColor = RGBColor(0x1D, 0x4E, 0xD8);
/// Loss.
pub(super) const RED: RGBColor = RGBColor(0xB9, 0x1C, 0x1C);
/// Gain.
pub(super) const TEAL: RGBColor = RGBColor(0x0F, 0x76, 0x6E);
/// Lines of several strategies, overlays and streams: far apart for all kinds of eyes.
pub(super) const PALETTE: [RGBColor; 12] = [
    BLUE,
    RGBColor(0xD9, 0x77, 0x06),
    TEAL,
    RGBColor(0xBE, 0x18, 0x5D),
    RGBColor(0x7C, 0x3A, 0xED),
    RGBColor(0x65, 0xA3, 0x0D),
    RGBColor(0x08, 0x91, 0xB2),
    RGBColor(0x92, 0x40, 0x0E),
    RGBColor(0x64, 0x74, 0x8B),
    RGBColor(0xDC, 0x26, 0x26),
    RGBColor(0x11, 0x18, 0x27),
    RGBColor(0x84, 0x7B, 0x1A),
];

/// Labels of axes.
pub(super) const AXIS: Type = Type {
    size: 10.5,
    bold: false,
    color: TEXT,
};
/// Explanations beside and under things.
pub(super) const NOTE: Type = Type {
    size: 10.0,
    bold: false,
    color: TEXT,
};
/// Titles of sections.
const SECTION: Type = Type {
    size: 13.0,
    bold: true,
    color: INK,
};
const TITLE: Type = Type {
    size: 22.0,
    bold: true,
    color: INK,
};
const SUBTITLE: Type = Type {
    size: 11.0,
    bold: false,
    color: TEXT,
};
const SMALL: Type = Type {
    size: 9.0,
    bold: false,
    color: TEXT,
};
/// Most paragraphs of small print.
const PARAGRAPHS_MAX: usize = 14;
/// Margin at the left and right of the page.
pub(super) const MARGIN: f64 = 40.0;
/// Width between the margins.
pub(super) const CONTENT: f64 = WIDTH - 2.0 * MARGIN;
/// Where plots begin, to the right of their axis labels.
pub(super) const PLOT_LEFT: f64 = MARGIN + 58.0;
/// Room to the right of plots for the names of lines.
pub(super) const END_ROOM: f64 = 102.0;
/// Width of plots.
pub(super) const PLOT_WIDTH: f64 = WIDTH - MARGIN - PLOT_LEFT - END_ROOM - 10.0;

/// Line and word colour of a role; `nth` counts the series of this role from zero.
pub(super) fn role_colors(role: Role, nth: usize) -> (RGBColor, RGBColor) {
    match (role, nth) {
        (Role::Strategy, _) => (BLUE, BLUE),
        (Role::Trial, nth) => (PALETTE[nth % PALETTE.len()], PALETTE[nth % PALETTE.len()]),
        (Role::InSample, _) => (PALETTE[1], RGBColor(0xB4, 0x60, 0x04)),
        (Role::Cash, _) => (RGBColor(0xC8, 0xA9, 0x6A), RGBColor(0x8A, 0x6A, 0x2F)),
        (Role::PutIn, _) => (RGBColor(0x6B, 0x9E, 0x5B), RGBColor(0x47, 0x77, 0x38)),
        (Role::Benchmark, 0) => (TEXT_SOFT, TEXT),
        (Role::Benchmark, 1) => (RGBColor(0xA7, 0x8B, 0xBA), RGBColor(0x7A, 0x5C, 0x91)),
        (Role::Benchmark, _) => (RGBColor(0x7F, 0xA8, 0xA3), RGBColor(0x4B, 0x7A, 0x74)),
    }
}

/// A page that grows downwards.
pub(super) struct Page {
    /// The sheet.
    pub(super) canvas: Canvas,
    /// Where the next thing goes.
    pub(super) y: f64,
}

impl Page {
    /// A page with its heading.
    pub(super) fn new(title: &str, subtitle: &str) -> Result<Page> {
        let canvas = Canvas::new()?;
        let fonts = canvas.fonts();
        let title = fonts.shorten(title, CONTENT, TITLE.size, true);
        canvas.text(&title, (MARGIN, 55.0), Align::Left, TITLE);
        let mut y = 77.0;
        for line in fonts.wrap(subtitle, CONTENT, SUBTITLE.size, 2) {
            canvas.text(&line, (MARGIN, y), Align::Left, SUBTITLE);
            y += 15.0;
        }
        y += 3.0;
        Ok(Page { canvas, y })
    }

    /// A thin line across the page.
    pub(super) fn divider(&mut self) {
        let ends = ((MARGIN, self.y), (MARGIN + CONTENT, self.y));
        self.canvas.rule(ends.0, ends.1, 0.5, GRID);
    }

    /// The headline figures in one row, or in two when there are more than six.
    pub(super) fn figures(&mut self, figures: &[Figure]) {
        let figures = &figures[..figures.len().min(12)];
        if figures.is_empty() {
            return;
        }
        let columns = if figures.len() <= 6 {
            figures.len().max(4)
        } else {
            figures.len().div_ceil(2)
        };
        let width = CONTENT / columns as f64;
        self.divider();
        for (row, line) in figures.chunks(columns).enumerate() {
            if row > 0 {
                self.y += 4.0;
            }
            for (i, figure) in line.iter().enumerate() {
                self.figure(figure, MARGIN + i as f64 * width, width - 12.0);
            }
            self.y += 66.0;
        }
        self.y += 2.0;
        self.divider();
    }

    fn figure(&self, figure: &Figure, x: f64, room: f64) {
        let fonts = self.canvas.fonts();
        let label = fonts.shorten(&figure.label, room, 10.5, false);
        self.canvas
            .text(&label, (x, self.y + 20.0), Align::Left, AXIS);
        let mut size = 19.0;
        while size > 12.0 && fonts.width(&figure.value, size, true) > room {
            size -= 1.0;
        }
        let value = fonts.shorten(&figure.value, room, size, true);
        let style = Type {
            size,
            bold: true,
            color: INK,
        };
        self.canvas
            .text(&value, (x, self.y + 41.0), Align::Left, style);
        let note = fonts.shorten(&figure.note, room, SMALL.size, false);
        self.canvas
            .text(&note, (x, self.y + 56.0), Align::Left, SMALL);
    }

    /// A section's title with a hint beside it.
    pub(super) fn section(&mut self, title: &str, hint: &str) {
        self.y += 30.0;
        let fonts = self.canvas.fonts();
        let title = fonts.shorten(title, CONTENT * 0.6, SECTION.size, true);
        let at = (MARGIN, self.y);
        self.canvas.text(&title, at, Align::Left, SECTION);
        let x = MARGIN + self.canvas.width(&title, SECTION) + 10.0;
        let hint = fonts.shorten(hint, MARGIN + CONTENT - x, NOTE.size, false);
        self.canvas.text(&hint, (x, self.y), Align::Left, NOTE);
        self.y += 16.0;
    }

    /// The frame of a plot of this height at the current place; the page moves on below it and
    /// its time labels.
    pub(super) fn plot(&mut self, height: f64) -> Frame {
        let frame = Frame {
            left: PLOT_LEFT,
            top: self.y,
            width: PLOT_WIDTH,
            height,
        };
        self.y = frame.bottom() + 20.0;
        frame
    }

    /// A warning that nobody can overlook: a line on a tinted ground.
    pub(super) fn banner(&mut self, text: &str) {
        let style = Type {
            size: 11.0,
            bold: true,
            color: RGBColor(0x7A, 0x3E, 0x02),
        };
        let text = self
            .canvas
            .fonts()
            .shorten(text, CONTENT - 24.0, style.size, true);
        if text.trim().is_empty() {
            return;
        }
        self.y += 12.0;
        let ground = RGBColor(0xFE, 0xF3, 0xE2);
        self.canvas
            .fill_box((MARGIN, self.y, CONTENT, 26.0), ground);
        self.canvas
            .fill_box((MARGIN, self.y, 3.0, 26.0), PALETTE[1]);
        let at = (MARGIN + 13.0, self.y + 17.0);
        self.canvas.text(&text, at, Align::Left, style);
        self.y += 26.0;
    }

    /// A line of explanation in the text column.
    pub(super) fn note(&mut self, text: &str) {
        for line in self.canvas.fonts().wrap(text, CONTENT, NOTE.size, 3) {
            self.y += 14.0;
            self.canvas.text(&line, (MARGIN, self.y), Align::Left, NOTE);
        }
    }

    /// The notes of a picture as small print, the first led by the word.
    pub(super) fn notes(&mut self, notes: &[String]) {
        let lead = |i| if i == 0 { "Notes" } else { "" };
        let paragraphs = notes
            .iter()
            .enumerate()
            .map(|(i, note)| (lead(i), note.as_str()));
        self.small_print(&paragraphs.collect::<Vec<_>>());
    }

    /// Small print: paragraphs under a divider, each with its lead in bold (may be empty).
    pub(super) fn small_print(&mut self, paragraphs: &[(&str, &str)]) {
        let shown = &paragraphs[..paragraphs.len().min(PARAGRAPHS_MAX)];
        if paragraphs.iter().all(|(_, text)| text.trim().is_empty()) {
            return;
        }
        self.y += 24.0;
        self.divider();
        self.y += 7.0;
        let lead_style = Type {
            bold: true,
            ..SMALL
        };
        let indent = 74.0;
        for (nth, (lead, text)) in shown.iter().enumerate() {
            if text.trim().is_empty() {
                continue;
            }
            self.y += 3.0;
            let at = (MARGIN, self.y + 12.0);
            self.canvas.text(lead, at, Align::Left, lead_style);
            let room = CONTENT - indent;
            let lines = if nth == 0 { 12 } else { 4 };
            for line in self.canvas.fonts().wrap(text, room, SMALL.size, lines) {
                self.y += 12.0;
                let at = (MARGIN + indent, self.y);
                self.canvas.text(&line, at, Align::Left, SMALL);
            }
        }
        let left_out = paragraphs.len() - shown.len();
        if left_out > 0 {
            self.y += 15.0;
            let text = format!("{left_out} more not shown.");
            let at = (MARGIN + indent, self.y);
            self.canvas.text(&text, at, Align::Left, SMALL);
        }
    }

    /// The picture, cut below what was drawn.
    pub(super) fn finish(self) -> Result<Picture> {
        self.canvas.finish(self.y + 36.0)
    }
}
