//! The flags of `sympozium gateway`.

use crate::cli::choice::ModelArgs;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `gateway …`
#[derive(Debug, Args)]
pub(in crate::cli) struct GatewayArgs {
    #[command(subcommand)]
    pub(super) command: GatewayCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum GatewayCommand {
    /// Serve the gateway alone, for other programs, to whoever has the token
    ///
    /// The first line on standard output is `listening on http://ADDRESS` once connections are accepted. There is no TLS,
    /// so only loopback addresses are served.
    Serve(ServeArgs),
}

/// Flags of `gateway serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Address to listen on, a loopback one; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// File with the token that callers present [env: SYMPOZIUM_GATEWAY_TOKEN] [default: a new one, printed once]
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Files as for `kubectl apply`: a SympoziumInstance, SympoziumPolicy, Secret
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// The instance that calls are metered for: NAME or NAMESPACE/NAME [env: INSTANCE_NAME] [default: local]
    #[arg(long, value_name = "NAME")]
    pub(super) instance: Option<String>,
    #[command(flatten)]
    pub(super) model: ModelArgs,
}
