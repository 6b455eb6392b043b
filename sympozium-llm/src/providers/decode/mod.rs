//! How bytes of an answer become chat events. Pure: no client, no clock; everything here is a target of the fuzzer.
//!
//! | Question | Where |
//! | --- | --- |
//! | Where does an event end? | `crate::sse` |
//! | What does an event mean? | `openai`, `anthropic`: a [`Decode`] each |
//! | What comes of a name or id that a model made up? | `made_up` |
//! | What kind of failure do a provider's words tell of? | `words` |
//! | What of them may be shown? | `scrub` |
//! | All of it together | [`Assembly`] |

#[cfg(any(feature = "anthropic", feature = "decoders"))]
pub(in crate::providers) mod anthropic;
mod assembly;
mod made_up;
#[cfg(any(feature = "openai", feature = "decoders"))]
pub(in crate::providers) mod openai;
#[cfg(test)]
#[cfg(all(
    any(feature = "openai", feature = "decoders"),
    any(feature = "anthropic", feature = "decoders")
))]
mod recorded_tests;
pub(crate) mod replay;
mod scrub;
mod words;

pub(in crate::providers) use assembly::{Assembly, Decode};
pub(in crate::providers) use scrub::Scrub;
pub(in crate::providers) use words::Words;
