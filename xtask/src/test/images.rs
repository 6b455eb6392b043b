//! Our images in the test cluster: each is made, imported, and runs. Programs of ours are built as for tests. Entry: [`stage`].

use std::time::Instant;

use crate::cluster::{self, Place};
use crate::counts::Counts;
use crate::{images, stage as stages};

const NAME: &str = "container images";

/// Makes what can be made here, says why the rest cannot, and checks it in a running cluster.
pub(super) fn stage(place: &Place) -> Counts {
    let start = Instant::now();
    let mut counts = Counts::default();
    let mut names = Vec::new();
    for (name, possible) in images::possible() {
        match possible {
            Ok(()) => names.push(name),
            Err(error) => counts += super::skip(&format!("image {name}"), &format!("{error:#}")),
        }
    }
    let checked = images::make_for_tests(&names).and_then(|made| cluster::images(place, &made));
    let (word, found) = match checked {
        Ok(report) => {
            let counts = report.counts();
            let word = if counts.failed == 0 { "ok" } else { "FAILED" };
            (format!("{word} ({counts})"), counts)
        }
        Err(error) => {
            println!("{error:#}");
            ("FAILED".to_owned(), Counts::FAILED)
        }
    };
    stages::line(NAME, start.elapsed(), &word);
    counts + found
}
