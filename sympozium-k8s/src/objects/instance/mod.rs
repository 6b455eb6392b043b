//! The objects that an instance keeps for its runs.
//!
//! Pure. Each function makes one object; the instance's controller applies them.

mod config_maps;
mod gateway_role;
mod network;

pub use config_maps::{ca_config_map, memory_config_map};
pub use gateway_role::{GatewayRole, gateway_role};
pub use network::{BusPeer, NetworkPeers, PodPeer, network_policy};

use super::names::{self, Component, metadata};
use crate::crd::v1alpha1::SympoziumInstance;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sympozium_core::ids::{InstanceName, InstanceRef};

/// An instance, as what it keeps knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    /// Which.
    pub instance: InstanceRef,
    /// Its UID.
    pub uid: String,
}

impl Keeper {
    /// Metadata of an object that the instance owns.
    fn metadata(&self, name: String, component: Component) -> ObjectMeta {
        let instance = self.name();
        metadata(
            name,
            Some(self.instance.namespace.as_str()),
            names::instance_labels(instance, component),
            vec![names::owned_by::<SympoziumInstance>(instance, &self.uid)],
        )
    }

    fn name(&self) -> &str {
        let name: &InstanceName = &self.instance.name;
        name.as_str()
    }
}

/// Who the instance's runs without rights are. Nothing is bound to it, and nothing mounts its token unasked.
pub fn service_account(keeper: &Keeper) -> ServiceAccount {
    ServiceAccount {
        metadata: keeper.metadata(
            names::instance_service_account(&keeper.instance.name),
            Component::Instance,
        ),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
