//! The client.

use super::refused::AddressRefused;
use super::resolve::{CheckedResolver, Reach, Resolve, SystemResolver};
use super::rules::AddressRules;
use super::tls;
use http::Method;
use reqwest::{Client, RequestBuilder, redirect, retry};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::error::{BoxError, Classify, Retry};
use url::Url;

/// How long looking up, connecting and the TLS handshake may take together.
const CONNECT: Duration = Duration::from_secs(10);

/// No client could be made.
#[derive(Debug, thiserror::Error)]
#[error("set up the HTTP client")]
pub struct HttpSetupError {
    #[source]
    source: BoxError,
}

impl Classify for HttpSetupError {
    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> &'static str {
        "http-setup"
    }
}

/// An HTTP client that connects to checked addresses only: see the [module](super) for what is checked when.
///
/// It follows no redirects, uses no proxy, repeats nothing, and takes 10 s at most to connect. How long an answer may
/// take and how large it may be is for the caller to bound. Cheap to make and to clone: certificates are read when the
/// first TLS server shows one.
///
/// ```
/// # use sympozium_llm::http::{AddressRules, GuardedClient};
/// # use url::Url;
/// let client = GuardedClient::new(AddressRules::public_only()).unwrap();
/// let inside = Url::parse("http://169.254.169.254/latest/meta-data").unwrap();
/// assert!(client.request(http::Method::GET, inside).is_err());
/// ```
#[derive(Clone)]
pub struct GuardedClient {
    rules: AddressRules,
    resolver: Arc<dyn Resolve>,
    tls: rustls::ClientConfig,
    /// For hosts that are not listed. A resolver is told names without ports, so what it may give must be settled
    /// before: hence two clients.
    public: Client,
    /// For listed host and port pairs.
    listed: Client,
}

impl GuardedClient {
    /// A client under these rules that asks the machine's resolver.
    pub fn new(rules: AddressRules) -> Result<Self, HttpSetupError> {
        Self::with_resolver(rules, Arc::new(SystemResolver))
    }

    /// A client under these rules that looks names up in a way of its own.
    pub fn with_resolver(rules: AddressRules, resolver: Arc<dyn Resolve>) -> Result<Self, HttpSetupError> {
        let tls = tls::config().map_err(|error| HttpSetupError { source: error.into() })?;
        Self::assemble(rules, resolver, tls)
    }

    /// The same client under other rules. Shares what is known of certificates, but no connections.
    pub fn with_rules(&self, rules: AddressRules) -> Result<Self, HttpSetupError> {
        Self::assemble(rules, Arc::clone(&self.resolver), self.tls.clone())
    }

    fn assemble(
        rules: AddressRules,
        resolver: Arc<dyn Resolve>,
        tls: rustls::ClientConfig,
    ) -> Result<Self, HttpSetupError> {
        let client = |reach| {
            let inner = Arc::clone(&resolver);
            client(CheckedResolver { reach, inner }, tls.clone())
                .map_err(|error| HttpSetupError { source: error.into() })
        };
        Ok(Self {
            public: client(Reach::Public(rules.clone()))?,
            listed: client(Reach::Listed)?,
            rules,
            resolver,
            tls,
        })
    }

    /// Begins a request, if the rules allow the URL. The addresses of a name are checked while connecting; use
    /// [`AddressRefused::behind`] to tell that refusal from other errors of sending.
    ///
    /// What is checked is the URL. A caller that lets others choose headers must keep them from choosing `Host`
    /// (another `Host` reaches another site at the same, checked address), and must not change the URL of the request
    /// that comes of this.
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, AddressRefused> {
        self.rules.check(&url)?;
        let client = if self.rules.lists(&url) {
            &self.listed
        } else {
            &self.public
        };
        Ok(client.request(method, url))
    }

    /// The rules.
    pub fn rules(&self) -> &AddressRules {
        &self.rules
    }
}

impl fmt::Debug for GuardedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedClient")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

fn client(resolver: CheckedResolver, tls: rustls::ClientConfig) -> reqwest::Result<Client> {
    Client::builder()
        .dns_resolver(Arc::new(resolver))
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .retry(retry::never())
        .connect_timeout(CONNECT)
        .user_agent(concat!("sympozium/", env!("CARGO_PKG_VERSION")))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8));

    /// Gives the next list each time, and the last one for ever.
    struct Rebinding {
        answers: Mutex<Vec<Vec<IpAddr>>>,
        asked: AtomicUsize,
    }

    impl Rebinding {
        fn new(answers: &[&[IpAddr]]) -> Arc<Self> {
            let answers = answers.iter().rev().map(|list| list.to_vec()).collect();
            Arc::new(Self {
                answers: Mutex::new(answers),
                asked: AtomicUsize::new(0),
            })
        }
    }

    #[async_trait]
    impl Resolve for Rebinding {
        async fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let mut answers = self.answers.lock().unwrap();
            let next = answers.last().cloned().unwrap();
            if answers.len() > 1 {
                answers.pop();
            }
            Ok(next)
        }
    }

    /// A server on this machine that gives one answer, and says how many connections it got.
    async fn server(answer: &'static str) -> (u16, Arc<AtomicUsize>, JoinHandle<()>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 1024];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        (port, connections, task)
    }

    fn url(host: &str, port: u16) -> Url {
        Url::parse(&format!("http://{host}:{port}/")).unwrap()
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

    #[tokio::test]
    async fn a_public_name_that_leads_inside_is_refused_without_a_connection() {
        let (port, connections, server) = server(OK).await;
        for answer in [vec![LOOPBACK], vec![PUBLIC, LOOPBACK], vec![LOOPBACK, PUBLIC]] {
            let resolver = Rebinding::new(&[&answer]);
            let client = GuardedClient::with_resolver(AddressRules::public_only(), resolver).unwrap();
            let request = client.request(Method::GET, url("a.example", port)).unwrap();
            let error = request.send().await.unwrap_err();
            let refused = AddressRefused::behind(&error).expect("the refusal is behind the error");
            assert_eq!(refused.detail, "a.example leads to 127.0.0.1, a loopback address");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 0);
        server.abort();
    }

    #[tokio::test]
    async fn a_name_that_answers_differently_the_second_time_gains_nothing() {
        use reqwest::dns::Resolve as _;
        let inner = Rebinding::new(&[&[PUBLIC], &[LOOPBACK]]);
        let checked = CheckedResolver {
            reach: Reach::Public(AddressRules::public_only()),
            inner,
        };
        let first: Vec<_> = checked
            .resolve("a.example".parse().unwrap())
            .await
            .unwrap()
            .collect();
        assert_eq!(
            first.iter().map(std::net::SocketAddr::ip).collect::<Vec<_>>(),
            [PUBLIC]
        );
        assert!(checked.resolve("a.example".parse().unwrap()).await.is_err());
    }

    #[tokio::test]
    async fn what_is_connected_to_is_what_was_looked_up_once() {
        let (port, connections, server) = server(OK).await;
        // The second look-up would lead elsewhere; there is none.
        let resolver = Rebinding::new(&[&[LOOPBACK], &[IpAddr::V4(Ipv4Addr::new(127, 0, 0, 99))]]);
        let rules = AddressRules::public_only().allow("a.example", port);
        let client = GuardedClient::with_resolver(rules, Arc::clone(&resolver) as _).unwrap();
        let answer = client
            .request(Method::GET, url("a.example", port))
            .unwrap()
            .send()
            .await
            .unwrap();
        assert_eq!(answer.text().await.unwrap(), "ok");
        assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        server.abort();
    }

    #[tokio::test]
    async fn listing_a_name_at_one_port_opens_no_other() {
        let (port, connections, server) = server(OK).await;
        let rules = AddressRules::public_only().allow("a.example", port.wrapping_add(1));
        let client = GuardedClient::with_resolver(rules, Rebinding::new(&[&[LOOPBACK]])).unwrap();
        let error = client
            .request(Method::GET, url("a.example", port))
            .unwrap()
            .send()
            .await
            .unwrap_err();
        assert!(AddressRefused::behind(&error).is_some());
        assert_eq!(connections.load(Ordering::SeqCst), 0);
        server.abort();
    }

    #[tokio::test]
    async fn redirects_are_answers_and_are_not_followed() {
        let (port, connections, server) = server(
            "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        )
        .await;
        let client = GuardedClient::new(AddressRules::public_only().allow("127.0.0.1", port)).unwrap();
        let answer = client
            .request(Method::GET, url("127.0.0.1", port))
            .unwrap()
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 302);
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        server.abort();
    }

    #[tokio::test]
    async fn other_rules_make_another_client() {
        let (port, _, server) = server(OK).await;
        let strict = GuardedClient::new(AddressRules::public_only()).unwrap();
        assert!(strict.request(Method::GET, url("127.0.0.1", port)).is_err());
        let open = strict
            .with_rules(strict.rules().clone().allow("127.0.0.1", port))
            .unwrap();
        let answer = open
            .request(Method::GET, url("127.0.0.1", port))
            .unwrap()
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(strict.request(Method::GET, url("127.0.0.1", port)).is_err());
        server.abort();
    }
}
