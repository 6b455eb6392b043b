//! How what a run wants to remember joins what is remembered: by section, so that runs at the same time lose nothing.

/// A merged memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The text, at most the cap long.
    pub text: String,
    /// Headings of sections that had to go to keep the cap, oldest first.
    pub dropped: Vec<String>,
    /// Bytes cut off at the end because even the new sections alone were over the cap.
    pub cut_bytes: usize,
}

/// A heading line (`None` for the text before the first) and the text below it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section<'a> {
    heading: Option<&'a str>,
    body: String,
}

/// Merges the sections of `update` into `current`.
///
/// `base` is the memory that the run was given. A section that nobody else changed since is replaced; one that somebody
/// else changed keeps its lines and gains those that are new. A section of `update` without text is removed, unless
/// somebody else changed it. All other sections stay. Merging the same update again changes nothing.
///
/// Over `max_bytes`, sections that the update does not name go first, from the top; then the end is cut.
pub fn merge(base: &str, current: &str, update: &str, max_bytes: usize) -> Merged {
    let (base, updates) = (sections(base), sections(update));
    let mut all = sections(current);
    for update in &updates {
        apply(&base, &mut all, update);
    }
    let mut dropped = Vec::new();
    while length(&all) > max_bytes {
        let oldest = all
            .iter()
            .position(|s| s.heading.is_some() && !updates.iter().any(|u| u.heading == s.heading));
        let Some(oldest) = oldest else { break };
        dropped.extend(all.remove(oldest).heading.map(str::to_owned));
    }
    let text = render(&all);
    let end = (0..=max_bytes.min(text.len()))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0);
    let cut_bytes = text.len() - end;
    Merged {
        text: text.get(..end).unwrap_or_default().to_owned(),
        dropped,
        cut_bytes,
    }
}

fn apply<'a>(base: &[Section<'_>], all: &mut Vec<Section<'a>>, update: &Section<'a>) {
    let before = base
        .iter()
        .find(|s| s.heading == update.heading)
        .map(|s| s.body.as_str());
    let Some(at) = all.iter().position(|s| s.heading == update.heading) else {
        // A section that somebody else removed comes back only if the run really wrote something new into it.
        if !update.body.is_empty() && before != Some(update.body.as_str()) {
            // The text before the first heading belongs in front.
            let at = if update.heading.is_none() { 0 } else { all.len() };
            all.insert(at, update.clone());
        }
        return;
    };
    let Some(section) = all.get_mut(at) else { return };
    let untouched = before == Some(section.body.as_str());
    if update.body.is_empty() {
        if untouched && update.heading.is_some() {
            all.remove(at);
        }
    } else if untouched {
        section.body.clone_from(&update.body);
    } else {
        section.body = union(&section.body, &update.body, before.unwrap_or_default());
    }
}

/// The lines of `current`, then those of `update` that neither it nor the run's own starting point has.
///
/// A text with a code fence is taken whole or not at all: single lines of it would make no sense.
fn union(current: &str, update: &str, base: &str) -> String {
    if update.lines().any(is_fence) {
        let known = current.contains(update) || base.contains(update);
        let gap = if current.is_empty() { "" } else { "\n" };
        return if known {
            current.to_owned()
        } else {
            format!("{current}{gap}{update}")
        };
    }
    let known = |line: &str| {
        current
            .lines()
            .chain(base.lines())
            .any(|other| other.trim() == line.trim())
    };
    let mut text = current.to_owned();
    for line in update
        .lines()
        .filter(|line| !line.trim().is_empty() && !known(line))
    {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    // As after reading it back: blanks inside a text may mean a line break, at its end they mean nothing.
    text.truncate(text.trim_end().len());
    text
}

/// Closes a code fence that was left open, so that it can't swallow the sections behind it.
fn balanced(mut text: String) -> String {
    if text.lines().filter(|line| is_fence(line)).count() % 2 == 1 {
        text.push_str("\n```");
    }
    text
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

/// Sections in order; those with one heading are joined.
fn sections(text: &str) -> Vec<Section<'_>> {
    let mut all: Vec<Section<'_>> = Vec::new();
    let mut heading = None;
    let mut body: Vec<&str> = Vec::new();
    let mut fenced = false;
    // Reading takes one carriage return per line; all of them go at once, so that reading again takes none.
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        fenced ^= is_fence(line);
        if !fenced && line.starts_with('#') {
            close(&mut all, heading, &body);
            (heading, body) = (Some(line.trim_end()), Vec::new());
        } else {
            body.push(line);
        }
    }
    close(&mut all, heading, &body);
    all
}

fn close<'a>(all: &mut Vec<Section<'a>>, heading: Option<&'a str>, lines: &[&str]) {
    let body = balanced(lines.join("\n").trim_matches('\n').trim_end().to_owned());
    match all.iter_mut().find(|section| section.heading == heading) {
        Some(section) => section.body = union(&section.body, &body, ""),
        None if heading.is_none() && body.is_empty() => {}
        None => all.push(Section { heading, body }),
    }
}

fn render(all: &[Section<'_>]) -> String {
    let mut text = String::with_capacity(length(all));
    for section in all {
        if !text.is_empty() {
            text.push('\n');
        }
        for line in section
            .heading
            .into_iter()
            .chain((!section.body.is_empty()).then_some(section.body.as_str()))
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn length(all: &[Section<'_>]) -> usize {
    let one = |s: &Section<'_>| {
        let heading = s.heading.map_or(0, |heading| heading.len() + 1);
        heading + if s.body.is_empty() { 0 } else { s.body.len() + 1 }
    };
    all.iter().map(one).sum::<usize>() + all.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(base: &str, current: &str, update: &str, expected: &str) {
        let merged = merge(base, current, update, 10_000);
        assert_eq!((merged.text.as_str(), merged.cut_bytes), (expected, 0));
        assert!(merged.dropped.is_empty());
    }

    #[test]
    fn sections_are_replaced_added_removed_and_kept() {
        check("", "", "## A\nx", "## A\nx\n");
        check("## A\nx\n", "## A\nx\n", "## A\ny", "## A\ny\n");
        check(
            "## A\nx\n\n## B\nb\n",
            "## A\nx\n\n## B\nb\n",
            "## B\n",
            "## A\nx\n",
        );
        check("## A\nx\n", "## A\nx\n", "## C\nc", "## A\nx\n\n## C\nc\n");
    }

    #[test]
    fn what_another_run_wrote_meanwhile_is_kept() {
        check(
            "## A\nx\n",
            "## A\nx\nfrom b\n",
            "## A\nx\nfrom c\n",
            "## A\nx\nfrom b\nfrom c\n",
        );
        check("## A\nx\n", "## A\nx\nfrom b\n", "## A\n", "## A\nx\nfrom b\n");
        check("## A\nx\n", "", "## A\nx\n", "");
    }

    #[test]
    fn a_heading_inside_a_code_fence_is_text() {
        check(
            "",
            "",
            "## A\n```\n# not a heading\n```\n",
            "## A\n```\n# not a heading\n```\n",
        );
    }

    #[test]
    fn over_the_cap_old_sections_go_first_and_are_named() {
        let merged = merge("", "## Old\n0123456789\n\n## Mid\nm\n", "## New\nn", 20);
        assert_eq!(
            merged,
            Merged {
                text: "## Mid\nm\n\n## New\nn\n".into(),
                dropped: vec!["## Old".into()],
                cut_bytes: 0
            }
        );
        let merged = merge("", "", "## New\nää", 10);
        assert_eq!((merged.text.as_str(), merged.cut_bytes), ("## New\nä", 3));
    }

    proptest! {
        #[test]
        fn merging_again_changes_nothing_and_the_cap_holds(
            base in "(#[AB]\n|[xy]\n|```\n|\n){0,8}",
            current in "(#[AB]\n|[xy]\n|```\n|\n){0,8}",
            update in "(#[ABC]\n|[xyz]\n|```\n|\n){0,8}",
            cap in 0usize..60,
        ) {
            let once = merge(&base, &current, &update, 10_000).text;
            prop_assert_eq!(&merge(&base, &once, &update, 10_000).text, &once);
            prop_assert!(merge(&base, &current, &update, cap).text.len() <= cap);
        }

        #[test]
        fn no_line_of_another_run_is_lost(ours in "[a-c]{1,3}", theirs in "[x-z]{1,3}") {
            let merged = merge("## A\n", &format!("## A\n{theirs}\n"), &format!("## A\n{ours}\n"), 10_000);
            prop_assert!(merged.text.contains(&ours) && merged.text.contains(&theirs));
        }
    }

    #[test]
    fn blanks_and_carriage_returns_at_line_ends_settle_at_once() {
        for (base, current, update) in [
            ("", "# A\n1\n", "# A\n2 \n"),
            ("", "# A\n1\r\r\n2\n", "# B\r\r\n3\r\r\n"),
        ] {
            let once = merge(base, current, update, usize::MAX).text;
            assert_eq!(merge(base, &once, update, usize::MAX).text, once);
            assert!(!once.contains('\r') && !once.contains(" \n"), "{once:?}");
        }
    }
}
