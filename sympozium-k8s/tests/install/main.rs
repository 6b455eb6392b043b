//! An installation: its objects, what they may do, and what a real API server says to them.

mod cluster;
mod fence;
mod made;
mod manifests;
#[path = "../pod_security/mod.rs"]
mod pod_security;
mod rights;
mod scene;
