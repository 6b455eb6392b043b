//! The table as text. Pure.

use super::{Line, Row, Table};

const HEAD: [&str; 9] = [
    "figure",
    "unit",
    "p50",
    "p25–p75",
    "min (n)",
    "baseline",
    "ratio",
    "Go",
    "goal",
];

/// For a terminal: aligned columns.
pub(crate) fn plain(table: &Table) -> String {
    let rows = cells(table);
    let mut widths = HEAD.map(width);
    for row in &rows {
        if let Cells::Row(cells) = row {
            for (widest, cell) in widths.iter_mut().zip(cells.iter()) {
                *widest = (*widest).max(width(cell));
            }
        }
    }
    let aligned = |cells: &[String; 9]| {
        let padded = cells.iter().zip(widths).map(|(cell, wide)| {
            let space = " ".repeat(wide.saturating_sub(width(cell)));
            format!("{cell}{space}")
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![preface(table), aligned(&HEAD.map(str::to_owned))];
    lines.extend(rows.iter().map(|row| match row {
        Cells::Row(cells) => aligned(cells),
        Cells::Sentence(what, sentence) => format!("{what}: {sentence}"),
    }));
    lines.join("\n") + "\n"
}

/// For a page: what `docs/performance.md` holds.
pub(crate) fn markdown(table: &Table) -> String {
    let mut lines = vec![preface(table), String::new(), table_row(&HEAD.map(str::to_owned))];
    lines.push(format!("|{}", " --- |".repeat(HEAD.len())));
    let mut sentences = Vec::new();
    for row in cells(table) {
        match row {
            Cells::Row(cells) => lines.push(table_row(&cells)),
            Cells::Sentence(what, sentence) => sentences.push(format!("- {what}: {sentence}")),
        }
    }
    if !sentences.is_empty() {
        lines.push(String::new());
        lines.extend(sentences);
    }
    lines.join("\n") + "\n"
}

fn table_row(cells: &[String; 9]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn preface(table: &Table) -> String {
    let machine = &table.machine;
    let built = table.built.as_ref().map(|built| format!(" {built}"));
    let built = built.unwrap_or_default();
    let warning = if table.meaningful {
        ""
    } else {
        "\nA smoke test: the numbers mean nothing."
    };
    format!(
        "{}, {} cores, {} of memory, Linux {}, temporary files on {}; load average {} at the beginning, {} at the end.{built}{warning}",
        machine.processor,
        machine.cores,
        machine.memory,
        machine.kernel,
        machine.temporary,
        table.load_at_begin,
        table.load_at_end
    )
}

enum Cells {
    Row(Box<[String; 9]>),
    Sentence(String, String),
}

fn cells(table: &Table) -> Vec<Cells> {
    let lines = table
        .figures
        .iter()
        .flat_map(|figure| figure.lines.iter().map(|line| (figure.name, line)));
    let one = |(name, line): (&str, &Line)| match line {
        Line::Measured(row) => Cells::Row(Box::new(of_row(name, row))),
        Line::NotPossible { what, why } => {
            Cells::Sentence(format!("{name}: {what}"), format!("not possible here: {why}"))
        }
        Line::Failed { what, why } => Cells::Sentence(format!("{name}: {what}"), format!("FAILED: {why}")),
    };
    lines.map(one).collect()
}

fn of_row(name: &str, row: &Row) -> [String; 9] {
    let spread = &row.measured;
    let nothing = || "–".to_owned();
    let baseline = row.baseline.as_ref().map_or_else(nothing, |baseline| {
        let bare = &baseline.measured;
        format!(
            "{} {} [{}–{}]",
            baseline.what,
            number(bare.p50),
            number(bare.p25),
            number(bare.p75)
        )
    });
    let goal = row.goal.map_or_else(nothing, |goal| {
        let verdict = if row.is_met() == Some(true) {
            "met"
        } else {
            "MISSED"
        };
        format!("≤ {} {verdict}", number(goal))
    });
    [
        format!("{name}: {}", row.what),
        row.unit.as_str().to_owned(),
        number(spread.p50),
        format!("{}–{}", number(spread.p25), number(spread.p75)),
        format!("{} ({})", number(spread.min), spread.n),
        baseline,
        row.ratio()
            .map_or_else(nothing, |ratio| format!("{}×", number(ratio))),
        row.go.map_or_else(nothing, number),
        goal,
    ]
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Three digits that count, without more zeros than that.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::{Figure, Unit};

    fn table() -> Table {
        let row = Row::new("a", Unit::Milliseconds, vec![1.0, 2.0, 3.0]).unwrap();
        let row = row.beside("bare", vec![1.0]).unwrap().go(163.0).goal(1.5);
        let machine = Machine {
            processor: "P".to_owned(),
            cores: 2,
            memory: "1 kB".to_owned(),
            kernel: "6".to_owned(),
            temporary: "tmpfs".to_owned(),
        };
        Table {
            machine,
            built: Some("By hand.".to_owned()),
            load_at_begin: "0.1".to_owned(),
            load_at_end: "0.2".to_owned(),
            meaningful: true,
            figures: vec![Figure {
                name: "f",
                lines: vec![row.into(), Line::not_possible("b", "no kernel")],
            }],
        }
    }

    #[test]
    fn a_table_has_a_row_per_figure_and_a_sentence_for_what_is_missing() {
        let text = plain(&table());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("load average 0.1 at the beginning, 0.2 at the end. By hand."));
        assert_eq!(lines[1].find("unit"), lines[2].find("ms"));
        let words: Vec<&str> = lines[2].split_whitespace().collect();
        let expected = "f: a ms 2 1–3 1 (3) bare 1 [1–1] 2× 163 ≤ 1.5 MISSED";
        assert_eq!(words.join(" "), expected);
        assert_eq!(lines[3], "f: b: not possible here: no kernel");
    }

    #[test]
    fn a_page_has_the_same_in_markdown() {
        let text = markdown(&table());
        assert!(
            text.contains("\n| f: a | ms | 2 | 1–3 | 1 (3) | bare 1 [1–1] | 2× | 163 | ≤ 1.5 MISSED |\n"),
            "{text}"
        );
        assert!(
            text.ends_with("|\n\n- f: b: not possible here: no kernel\n"),
            "{text}"
        );
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let shown = [163.4, 12.34, 1.234, 0.1234, 0.0004, 2.0, 100.0].map(number);
        assert_eq!(shown, ["163", "12.3", "1.23", "0.123", "0", "2", "100"]);
    }
}
