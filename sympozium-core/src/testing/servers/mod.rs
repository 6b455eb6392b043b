//! Real servers for tests, each private to one test and gone with it.

mod nats;

pub use nats::NatsServer;
