//! Text pages of 80 columns and rows of CSV, for verbs that print tables of the library's words.
//! Tables of numbers are the reports' own.

/// Widest line.
const WIDTH: usize = 80;

/// A name in a column of its own, words wrapped beside it from column `indent` on.
pub(crate) fn paragraph(page: &mut String, indent: usize, name: &str, words: &str) {
    let mut line = format!("  {name:<width$}", width = indent.saturating_sub(2));
    let mut empty = true;
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            page.push_str(line.trim_end());
            page.push('\n');
            line = " ".repeat(indent);
            empty = true;
        }
        if !empty || line.chars().count() > indent {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    page.push_str(line.trim_end());
    page.push('\n');
}

/// A page with its headings, the lines that are not indented, in bold, and the marks of caveats in
/// yellow, when `color` says so. Without it the page says the same.
pub(crate) fn painted(page: &str, color: bool) -> String {
    const BOLD: &str = "\u{1b}[1m";
    const YELLOW: &str = "\u{1b}[33m";
    const PLAIN: &str = "\u{1b}[0m";
    if !color {
        return page.to_owned();
    }
    let paint = |line: &str| match line.strip_prefix("  ! ") {
        Some(rest) => format!("  {YELLOW}!{PLAIN} {rest}\n"),
        None if line.is_empty() || line.starts_with(' ') => format!("{line}\n"),
        None => format!("{BOLD}{line}{PLAIN}\n"),
    };
    page.lines().map(paint).collect()
}

/// A row of CSV: a bare first cell, the others quoted.
pub(crate) fn csv_row(first: &str, cells: &[&str]) -> String {
    let mut row = first.to_owned();
    for cell in cells {
        row.push_str(",\"");
        row.push_str(&cell.replace('"', "\"\""));
        row.push('"');
    }
    row.push('\n');
    row
}
