//! Memories.

/// Merging keeps its cap, and merging again changes nothing.
///
/// # Panics
/// When that does not hold.
pub fn memory_merge(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut parts = text.splitn(3, '\u{0}');
    let mut part = || parts.next().unwrap_or_default();
    let (base, current, update) = (part(), part(), part());
    let once = crate::memory::merge(base, current, update, usize::MAX).text;
    let twice = crate::memory::merge(base, &once, update, usize::MAX).text;
    assert_eq!(once, twice, "merging again changed the memory");
    assert!(
        crate::memory::merge(base, current, update, 64).text.len() <= 64,
        "the cap does not hold"
    );
    let taken = crate::memory::extract(text);
    assert!(
        taken.answer.len() <= text.len(),
        "taking the memory out made the answer longer"
    );
}
