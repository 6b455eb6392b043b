//! How much a bus in memory holds.

/// Bounds of an [`InMemoryBus`](super::InMemoryBus).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusLimits {
    /// The most messages of one stream that one reader may not have acknowledged. A work message that would be one more
    /// is refused; a message for watching takes the place of the oldest that was not yet delivered. Default 10,000.
    pub unacknowledged: usize,
    /// The number of ids by which repetitions are recognised. Default 20,000.
    pub remembered_ids: usize,
    /// The most dead letters that are kept. Default 1,000.
    pub dead_letters: usize,
    /// The most readers. Default 1,000.
    pub readers: usize,
}

impl Default for BusLimits {
    fn default() -> Self {
        Self {
            unacknowledged: 10_000,
            remembered_ids: 20_000,
            dead_letters: 1_000,
            readers: 1_000,
        }
    }
}
