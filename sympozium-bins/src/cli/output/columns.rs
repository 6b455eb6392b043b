//! Rows as aligned columns. Pure.

/// Lines of rows whose cells stand below each other, two spaces apart; the last cell is never padded.
///
/// Control characters of a cell are shown as spaces: they come from files and models, and could move the cursor.
pub(in crate::cli) fn columns(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
        if at > 0 {
            text.push_str("  ");
        }
        text.push_str(cell);
        if at + 1 < row.len() {
            let missing = width.saturating_sub(cell.chars().count());
            text.extend(std::iter::repeat_n(' ', missing));
        }
    }
    let mut text = text.trim_end().to_owned();
    text.push('\n');
    text
}

fn plain(cell: &str) -> String {
    cell.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_each_other_and_lines_have_no_blanks_at_their_end() {
        let rows = [
            vec!["ä", "bb", "c"],
            vec!["aaa", "", "d\n\u{1b}[2J"],
            vec!["x", "", ""],
        ]
        .map(|row| row.into_iter().map(str::to_owned).collect());
        assert_eq!(columns(&rows), "ä    bb  c\naaa      d  [2J\nx\n");
        assert_eq!(columns(&[]), "");
    }
}
