//! How much may be under way at once. Pure.

use super::outbox::Room;
use crate::bus::StreamKind;

/// The most events of one stream that are under way: enough to keep a bus busy over a network.
const MOST_EVENTS: usize = 512;
/// The most bytes of files whose events are under way, of one stream. In memory they can take many times as much.
const MOST_BYTES: usize = 2 << 20;

/// What is under way, each stream for itself: what is only for watching can't keep work from being sent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Window {
    work: UnderWay,
    stream: UnderWay,
}

#[derive(Debug, Default, Clone, Copy)]
struct UnderWay {
    events: usize,
    bytes: usize,
}

impl UnderWay {
    /// The last file that fits may be a large one.
    fn has_room(self) -> bool {
        self.events < MOST_EVENTS && self.bytes < MOST_BYTES
    }
}

impl Window {
    pub(super) fn room(&self) -> Room {
        Room {
            work: self.work.has_room(),
            stream: self.stream.has_room(),
        }
    }

    pub(super) fn add(&mut self, stream: StreamKind, bytes: usize) {
        let under_way = self.of(stream);
        under_way.events += 1;
        under_way.bytes += bytes;
    }

    pub(super) fn remove(&mut self, stream: StreamKind, bytes: usize) {
        let under_way = self.of(stream);
        under_way.events = under_way.events.saturating_sub(1);
        under_way.bytes = under_way.bytes.saturating_sub(bytes);
    }

    fn of(&mut self, stream: StreamKind) -> &mut UnderWay {
        match stream {
            StreamKind::Work => &mut self.work,
            StreamKind::Stream => &mut self.stream,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_has_room_of_its_own_until_it_has_none() {
        let mut window = Window::default();
        for _ in 0..MOST_EVENTS {
            assert!(window.room().stream);
            window.add(StreamKind::Stream, 10);
        }
        assert!(!window.room().stream && window.room().work && window.room().any());
        window.add(StreamKind::Work, MOST_BYTES);
        assert!(!window.room().any());
        window.remove(StreamKind::Stream, 10);
        assert!(window.room().stream && !window.room().work);
        window.remove(StreamKind::Work, MOST_BYTES);
        assert!(window.room().work);
    }
}
