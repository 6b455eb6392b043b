//! Looking names up, and keeping what may be connected to.

use super::address;
use super::refused::AddressRefused;
use super::rules::AddressRules;
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::{fmt, io};

/// Which addresses a name has. Tests bring their own.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of the host, in the order in which they should be tried. Asked once per connection.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the machine's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Who may be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Public addresses, and those of networks that these rules list.
    Public(AddressRules),
    /// Whatever the name of a listed host leads to, except to a metadata service.
    Listed,
}

/// Gives the client only addresses that may be connected to.
pub(super) struct CheckedResolver {
    pub(super) reach: Reach,
    pub(super) inner: Arc<dyn Resolve>,
}

impl fmt::Debug for CheckedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedResolver")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl reqwest::dns::Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, inner) = (self.reach.clone(), Arc::clone(&self.inner));
        Box::pin(async move {
            let found = inner.resolve(name.as_str()).await?;
            let checked = checked(name.as_str(), found, &reach)?;
            let addresses: Addrs = Box::new(checked.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

/// All addresses, or none: a name that has a private address among public ones is not to be trusted with either.
pub(super) fn checked(host: &str, found: Vec<IpAddr>, reach: &Reach) -> Result<Vec<IpAddr>, AddressRefused> {
    let refusal = |ip: &IpAddr| match reach {
        Reach::Public(rules) => rules.refusal(*ip),
        Reach::Listed => address::is_metadata(*ip).then(|| address::refusal(*ip)).flatten(),
    };
    let refused = found.iter().find_map(|ip| refusal(ip).map(|reason| (ip, reason)));
    match refused {
        Some((ip, reason)) => Err(AddressRefused {
            url: host.to_owned(),
            detail: format!("{host} leads to {ip}, {reason}"),
        }),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> Reach {
        Reach::Public(AddressRules::public_only())
    }

    fn check(addresses: &[&str], reach: &Reach) -> Result<(), String> {
        let found: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let kept = checked("a.example", found.clone(), reach).map_err(|refused| refused.detail)?;
        assert_eq!(kept, found);
        Ok(())
    }

    #[test]
    fn one_private_address_among_public_ones_refuses_all() {
        assert_eq!(check(&["8.8.8.8", "2606:4700::1111"], &public()), Ok(()));
        for mixed in [
            ["8.8.8.8", "10.0.0.1"],
            ["127.0.0.1", "8.8.8.8"],
            ["8.8.8.8", "::1"],
            ["8.8.8.8", "::ffff:127.0.0.1"],
        ] {
            assert!(check(&mixed, &public()).is_err(), "{mixed:?}");
        }
        assert_eq!(
            check(&["10.0.0.1"], &public()).unwrap_err(),
            "a.example leads to 10.0.0.1, a private address"
        );
    }

    #[test]
    fn a_name_may_lead_into_a_listed_network_and_nowhere_else_inside() {
        let rules = AddressRules::public_only().allow_net("10.96.0.0/12".parse().unwrap());
        let reach = Reach::Public(rules);
        assert_eq!(check(&["10.97.0.1", "8.8.8.8"], &reach), Ok(()));
        for other in ["10.0.0.1", "127.0.0.1", "169.254.169.254"] {
            assert!(check(&["10.97.0.1", other], &reach).is_err(), "{other}");
        }
    }

    #[test]
    fn a_listed_name_may_be_private_but_never_a_metadata_service() {
        assert_eq!(
            check(&["10.0.0.1", "127.0.0.1", "8.8.8.8"], &Reach::Listed),
            Ok(())
        );
        for metadata in [
            "169.254.169.254",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "168.63.129.16",
        ] {
            assert!(
                check(&["10.0.0.1", metadata], &Reach::Listed).is_err(),
                "{metadata}"
            );
        }
    }
}
