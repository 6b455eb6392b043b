//! Memory and certificates.

use super::Keeper;
use crate::objects::names::{self, Component};
use k8s_openapi::api::core::v1::ConfigMap;
use std::collections::BTreeMap;

/// The instance's memory, with that text: for an instance that has none yet. What runs remember later is merged into it.
pub fn memory_config_map(keeper: &Keeper, text: &str) -> ConfigMap {
    ConfigMap {
        metadata: keeper.metadata(names::memory_config_map(keeper.name()), Component::Memory),
        data: Some(BTreeMap::from([(names::MEMORY_KEY.to_owned(), text.to_owned())])),
        ..ConfigMap::default()
    }
}

/// What the instance's runs trust: our certificate authority for gateway and bus, and both ours and the cluster's for
/// clients of the API server that go through the gateway. Both are PEM texts.
pub fn ca_config_map(keeper: &Keeper, own: &str, cluster: &str) -> ConfigMap {
    let bundle = format!("{}\n{}\n", cluster.trim_end(), own.trim_end());
    ConfigMap {
        metadata: keeper.metadata(names::ca_config_map(keeper.name()), Component::Instance),
        data: Some(BTreeMap::from([
            (names::CA_KEY.to_owned(), own.to_owned()),
            (names::CA_BUNDLE_KEY.to_owned(), bundle),
        ])),
        ..ConfigMap::default()
    }
}
