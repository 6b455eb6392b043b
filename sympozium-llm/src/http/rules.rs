//! What may be asked for. Pure: what a name leads to is checked when it is looked up.

use super::address;
use super::name;
use super::refused::AddressRefused;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use url::{Host, Url};

/// Public addresses, and what a person listed besides.
///
/// ```
/// # use sympozium_llm::http::AddressRules;
/// # use url::Url;
/// let rules = AddressRules::public_only().allow("localhost", 11434);
/// assert!(rules.check(&Url::parse("http://localhost:11434/v1").unwrap()).is_ok());
/// assert!(rules.check(&Url::parse("http://localhost:8080/").unwrap()).is_err());
/// assert!(rules.check(&Url::parse("https://api.example.com/v1").unwrap()).is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// Host as a URL writes it, without a last dot, and port.
    listed: BTreeSet<(String, u16)>,
    /// Networks whose addresses count as public ones.
    nets: BTreeSet<IpNet>,
}

impl AddressRules {
    /// Public addresses only.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// Lists a host, by name or number, with a port. It may then be private; a listed name may lead to any address but
    /// that of a cloud's metadata service. Text that is no host lists nothing.
    #[must_use]
    pub fn allow(mut self, host: &str, port: u16) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let host = match bare.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => Ok(Host::Ipv6(address)),
            Ok(IpAddr::V4(address)) => Ok(Host::Ipv4(address)),
            Err(_) => Host::parse(host),
        };
        if let Ok(host) = host {
            self.listed.insert((key(&host.to_string()), port));
        }
        self
    }

    /// Lists a URL's host with its port. A URL without either lists nothing.
    #[must_use]
    pub fn allow_url(self, url: &Url) -> Self {
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) => self.allow(host, port),
            _ => self,
        }
    }

    /// Lists a network: its addresses count as public ones, by number and behind names, but for those of a cloud's
    /// metadata service. Names that only mean something inside a network are looked up then, and their addresses decide.
    ///
    /// ```
    /// # use sympozium_llm::http::AddressRules;
    /// # use url::Url;
    /// let rules = AddressRules::public_only().allow_net("10.96.0.0/12".parse().unwrap());
    /// assert!(rules.check(&Url::parse("http://10.97.1.2:8080/v1").unwrap()).is_ok());
    /// assert!(rules.check(&Url::parse("http://10.0.0.1/v1").unwrap()).is_err());
    /// ```
    #[must_use]
    pub fn allow_net(mut self, net: IpNet) -> Self {
        self.nets.insert(net);
        self
    }

    /// Why nothing may be connected to at this address, as a phrase; `None` when one may.
    pub(super) fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        let listed = self.nets.iter().any(|net| net.contains(&address.to_canonical()));
        address::refusal(address).filter(|_| !listed || address::is_metadata(address))
    }

    /// Whether this URL may be asked for, as far as it can be told without looking its name up.
    pub fn check(&self, url: &Url) -> Result<(), AddressRefused> {
        let refused = |detail: String| Err(AddressRefused::new(url, detail));
        if !matches!(url.scheme(), "http" | "https") {
            return refused(format!("only http and https are used, not {}", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("credentials do not belong into a URL".to_owned());
        }
        let Some(host) = url.host() else {
            return refused("it has no host".to_owned());
        };
        if self.lists(url) {
            return Ok(());
        }
        let reason = match host {
            Host::Domain(host) => name::refusal(host).filter(|_| self.nets.is_empty()),
            Host::Ipv4(host) => self.refusal(host.into()),
            Host::Ipv6(host) => self.refusal(host.into()),
        };
        match reason {
            Some(reason) => refused(format!("{host} is {reason}")),
            None => Ok(()),
        }
    }

    /// Whether the URL's host and port are listed.
    pub(super) fn lists(&self, url: &Url) -> bool {
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) => self.listed.contains(&(key(host), port)),
            _ => false,
        }
    }
}

fn key(host: &str) -> String {
    name::canonical(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &AddressRules, url: &str) -> Result<(), String> {
        rules
            .check(&Url::parse(url).unwrap())
            .map_err(|refused| refused.detail)
    }

    #[test]
    fn numbers_are_refused_however_they_are_written() {
        let rules = AddressRules::public_only();
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://127.0.0.1./",
            "http://127.0.0.1:8080/",
            "https://0/",
            "http://①②⑦.⓪.⓪.①/",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
            "http://%31%32%37.0.0.1/",
            "http://[::1]/",
            "http://[::]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fd00:ec2::254]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://0xA9FEA9FE/",
            "http://2852039166/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://10.0.0.1/",
        ] {
            assert!(check(&rules, url).is_err(), "{url}");
        }
    }

    #[test]
    fn names_of_things_inside_are_refused_however_they_are_written() {
        let rules = AddressRules::public_only();
        for url in [
            "http://localhost/",
            "http://LOCALHOST/",
            "http://localhost./",
            "http://a.localhost/",
            "http://%6c%6f%63alhost/",
            "http://ⓛocalhost/",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://Metadata.Google.Internal./",
            "http://kubernetes.default.svc/",
            "http://wiki/",
        ] {
            assert!(check(&rules, url).is_err(), "{url}");
        }
    }

    #[test]
    fn other_schemes_and_credentials_are_refused_even_for_listed_hosts() {
        let rules = AddressRules::public_only()
            .allow("localhost", 80)
            .allow("localhost", 21);
        for url in [
            "ftp://localhost/",
            "file:///etc/passwd",
            "gopher://localhost:80/",
            "data:text/plain,x",
            "unix:/run/x.sock",
            "http://user@localhost/",
            "http://user:secret@localhost/",
            "http://:secret@localhost/",
        ] {
            let refused = rules.check(&Url::parse(url).unwrap()).unwrap_err();
            assert!(!refused.to_string().contains("secret"), "{url}");
        }
    }

    #[test]
    fn public_names_and_numbers_pass() {
        let rules = AddressRules::public_only();
        for url in [
            "https://api.openai.com/v1",
            "http://example.com:8080/?q=1#f",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(check(&rules, url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_listed_host_passes_at_its_port_alone() {
        let rules = AddressRules::public_only()
            .allow("Localhost.", 11434)
            .allow("127.0.0.1", 80)
            .allow("::1", 8080)
            .allow("[fd00::2]", 443)
            .allow_url(&Url::parse("http://wiki/path").unwrap())
            .allow("no host", 80);
        for url in [
            "http://localhost:11434/v1",
            "http://LOCALHOST.:11434/v1",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://[::1]:8080/",
            "https://[fd00::2]/",
            "http://wiki/other",
        ] {
            assert_eq!(check(&rules, url), Ok(()), "{url}");
        }
        for url in [
            "http://localhost/",
            "http://a.localhost:11434/",
            "http://127.0.0.1:11434/",
            "https://127.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "https://wiki/",
        ] {
            assert!(check(&rules, url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_listed_network_opens_its_own_addresses_alone() {
        let rules = AddressRules::public_only()
            .allow_net("10.96.0.0/12".parse().unwrap())
            .allow_net("169.254.0.0/16".parse().unwrap())
            .allow_net("fd00::/8".parse().unwrap());
        for url in [
            "http://10.97.0.1:8080/v1",
            "http://[::ffff:10.97.0.1]/",
            "http://[fd00::2]/",
            "http://model.default.svc/",
            "https://8.8.8.8/",
        ] {
            assert_eq!(check(&rules, url), Ok(()), "{url}");
        }
        for url in [
            "http://10.0.0.1/",
            "http://127.0.0.1/",
            "http://169.254.169.254/",
            "http://[fd00:ec2::254]/",
            "http://192.168.0.1/",
        ] {
            assert!(check(&rules, url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_refusal_shows_neither_query_nor_credentials() {
        let url = Url::parse("http://me:pass@10.0.0.1/a?token=t#f").unwrap();
        let refused = AddressRules::public_only().check(&url).unwrap_err();
        assert_eq!(refused.url, "http://10.0.0.1/a");
    }
}
