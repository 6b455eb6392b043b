//! A client of the cluster that the flags name.

use super::args::ClusterArgs;
use crate::cli::failure::Failure;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use sympozium_core::error::chain;

/// Connects to nothing yet.
pub(super) async fn client(args: &ClusterArgs) -> Result<Client, Failure> {
    // Whichever library asks first must not choose another provider of cryptography.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = config(args).await?;
    Client::try_from(config).map_err(|error| {
        Failure::input(format!(
            "The cluster can't be reached as its file says: {}.",
            chain(&error)
        ))
    })
}

async fn config(args: &ClusterArgs) -> Result<Config, Failure> {
    let wrong = |error: &(dyn std::error::Error + 'static)| {
        Failure::input(format!(
            "No cluster is known: {}. Name a file with --kubeconfig, or set KUBECONFIG.",
            chain(error)
        ))
    };
    if args.kubeconfig.is_none() && args.context.is_none() {
        return Config::infer().await.map_err(|error| wrong(&error));
    }
    let file = match &args.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    let file = file.map_err(|error| wrong(&error))?;
    Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(|error| wrong(&error))
}
