//! A bare connection to a checked address.

use super::name;
use super::refused::AddressRefused;
use super::resolve::{Reach, Resolve, checked};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use sympozium_core::skill::HostPort;
use tokio::net::TcpStream;

/// How long looking up and connecting may take together.
const CONNECT: Duration = Duration::from_secs(10);
/// How many addresses of a name are tried.
const TRIES: usize = 4;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// It is not allowed.
    #[error(transparent)]
    Refused(#[from] AddressRefused),
    /// Nobody has that name, or nobody is there.
    #[error("connect to {target}")]
    Failed {
        /// Where to.
        target: HostPort,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("{target} did not answer within {CONNECT:?}")]
    TooLate {
        /// Where to.
        target: HostPort,
    },
}

/// Connects to a host. Its name is looked up once, all its addresses are checked, and the connection goes to one of them.
pub(crate) async fn connect(
    resolver: &dyn Resolve,
    target: &HostPort,
    reach: &Reach,
) -> Result<TcpStream, ConnectError> {
    let failed = |source| ConnectError::Failed {
        target: target.clone(),
        source,
    };
    let whole = async {
        let addresses = addresses(resolver, target, reach).await?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for ip in addresses.into_iter().take(TRIES) {
            match TcpStream::connect(SocketAddr::new(ip, target.port)).await {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(failed)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    };
    let late = |_| ConnectError::TooLate {
        target: target.clone(),
    };
    tokio::time::timeout(CONNECT, whole).await.map_err(late)?
}

async fn addresses(
    resolver: &dyn Resolve,
    target: &HostPort,
    reach: &Reach,
) -> Result<Vec<IpAddr>, ConnectError> {
    let host = target.host.as_str();
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(checked(host, vec![ip], reach)?);
    }
    if let (Reach::Public(_), Some(reason)) = (reach, name::refusal(host)) {
        return Err(AddressRefused::of_host(host, format!("{host} is {reason}")).into());
    }
    let found = resolver.resolve(host).await;
    let found = found.map_err(|source| ConnectError::Failed {
        target: target.clone(),
        source,
    })?;
    Ok(checked(host, found, reach)?)
}
