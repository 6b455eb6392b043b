//! Sympozium's custom resources, and the pure way from them to a run and its objects.
//!
//! | Question | Module |
//! | --- | --- |
//! | What do the five kinds look like? | [`crd`] |
//! | How do YAML files become objects? | `documents` (feature `yaml`) |
//! | How do objects become policies and run plans? | [`convert`] |
//! | Which objects does the cluster need for a run, and for an instance? | [`objects`] |
//! | Which run does a pod's token speak for, and what may it do? | `identity` (feature `identity`) |
//! | Where do certificates come from? | `ca` (feature `ca`) |
//! | How does an installation get into a cluster, and out again? | `install` (feature `install`) |
//! | What comes next for runs, instances, packs, policies and schedules? | `operator` (feature `operator`) |
//!
//! By default nothing here talks to a cluster, reads a clock or touches a file. The crate chooses no Kubernetes version: the program
//! that links it does, with one of k8s-openapi's version features.

#[cfg(feature = "ca")]
pub mod ca;
pub mod convert;
pub mod crd;
#[cfg(feature = "yaml")]
pub mod documents;
#[cfg(feature = "yaml")]
#[doc(hidden)]
pub mod fuzz_entry;
#[cfg(feature = "identity")]
pub mod identity;
#[cfg(feature = "install")]
pub mod install;
pub mod objects;
#[cfg(feature = "operator")]
pub mod operator;
