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
