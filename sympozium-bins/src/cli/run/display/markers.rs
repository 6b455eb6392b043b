//! Keeps what an agent wants to remember out of the streamed text. Pure.

use sympozium_core::memory::{END, START};

/// Holds back what could be the beginning of a memory block, and drops the block.
#[derive(Debug, Default)]
pub(super) struct MarkerFilter {
    held: String,
    inside: bool,
}

impl MarkerFilter {
    /// What may be shown now that `piece` has come.
    pub(super) fn pass(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut shown = String::new();
        loop {
            let marker = if self.inside { END } else { START };
            if let Some((before, after)) = self.held.split_once(marker) {
                if !self.inside {
                    shown.push_str(before);
                }
                self.held = after.to_owned();
                self.inside = !self.inside;
                continue;
            }
            let keep = possible_start(&self.held, marker);
            let certain = self.held.len() - keep;
            let rest = self.held.split_off(certain);
            if !self.inside {
                shown.push_str(&self.held);
            }
            self.held = rest;
            return shown;
        }
    }

    /// What was held back, at the end of a text: a marker that never came, or a block that was never closed.
    pub(super) fn rest(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let was_inside = std::mem::take(&mut self.inside);
        if was_inside { String::new() } else { held }
    }
}

/// How many bytes at the end could be the beginning of the marker.
fn possible_start(text: &str, marker: &str) -> usize {
    (1..marker.len())
        .rev()
        .find(|length| marker.get(..*length).is_some_and(|start| text.ends_with(start)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_left_out_wherever_the_pieces_are_cut() {
        let text = format!("Done.\n{START}\n## A\nb\n{END}\nBye _you_.");
        for size in 1..text.len() {
            let mut filter = MarkerFilter::default();
            let mut shown = String::new();
            let bytes: Vec<_> = text.chars().collect();
            for piece in bytes.chunks(size) {
                shown.push_str(&filter.pass(&piece.iter().collect::<String>()));
            }
            shown.push_str(&filter.rest());
            assert_eq!(shown, "Done.\n\nBye _you_.", "{size}");
        }
    }

    #[test]
    fn a_marker_that_never_came_is_shown_at_the_end() {
        let mut filter = MarkerFilter::default();
        assert_eq!(filter.pass("a __SYMP"), "a ");
        assert_eq!(filter.rest(), "__SYMP");
        assert_eq!(filter.pass("ä_"), "ä");
        assert_eq!(filter.pass("b"), "_b");
    }
}
