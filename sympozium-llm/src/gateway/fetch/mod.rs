//! Fetches a web page for a run: decided by policy, reached through the guarded connector, given as text.
//!
//! Nothing that the run could not say itself goes out: no cookies, no credentials, no headers of ours but the client's
//! name. Every redirect is decided anew.
//!
//! | Question | Where |
//! | --- | --- |
//! | which headers may a run choose? | `headers`, pure |
//! | from one address to the next | `hops` |
//! | bytes to text | `text`; `simplify`, pure |

mod headers;
mod hops;
mod simplify;
mod text;

use super::problem;
use super::turn::audit;
use super::{Inner, meter};
use crate::http::{AddressRules, GuardedClient, HttpSetupError};
use hops::Fetched;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::gateway::{FetchRequest, FetchResponse, Problem, ProblemKind};
use sympozium_core::ids::ToolName;
use sympozium_core::policy::{Outcome, Verdict, decide_tool};
use sympozium_core::run::RunPlan;
use sympozium_core::store::AuditKind;
use tokio::sync::Semaphore;
use url::Url;

/// Characters of text that are given when the request does not say.
const DEFAULT_CHARS: u32 = 50_000;
/// The most characters of text that are given.
const MOST_CHARS: u32 = 100_000;
/// The longest URL, in bytes.
const LONGEST_URL: usize = 8 << 10;

/// Bounds of fetches.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// How long a fetch may take, redirects included. Default 30 s.
    pub timeout: Duration,
    /// The largest page, in bytes. Default 4 MiB.
    pub max_bytes: usize,
    /// How many redirects are followed. Default 5.
    pub max_redirects: u32,
    /// How many fetches may be under way at once; more wait. Default 16.
    pub at_once: usize,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            max_bytes: 4 << 20,
            max_redirects: 5,
            at_once: 16,
        }
    }
}

/// Fetches web pages for runs.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: GuardedClient,
    settings: FetchSettings,
    free: Arc<Semaphore>,
}

impl Fetcher {
    /// Fetches with a client like this one, but to public addresses alone: what is listed for providers is not for
    /// pages. Private hosts come from install-wide policies, per fetch.
    pub fn new(client: &GuardedClient, settings: FetchSettings) -> Result<Self, HttpSetupError> {
        let client = client.with_rules(AddressRules::public_only())?;
        let free = Arc::new(Semaphore::new(settings.at_once));
        Ok(Self {
            client,
            settings,
            free,
        })
    }
}

/// Fetches a page for a run, and records it.
pub(super) async fn fetch(
    inner: &Inner,
    plan: &RunPlan,
    wanted: &FetchRequest,
) -> Result<FetchResponse, Problem> {
    let Some(fetcher) = &inner.parts.fetcher else {
        return Err(Problem::new(
            ProblemKind::PolicyRefused,
            "This gateway does not fetch web pages.",
        ));
    };
    if let Some(denied) = denied(plan) {
        record(inner, plan, wanted, Err(&denied)).await?;
        return Err(denied);
    }
    let page = fetcher.page(plan, wanted).await;
    record(inner, plan, wanted, page.as_ref()).await?;
    page.map(|page| page.response)
}

/// The runner asks before it fetches; whoever comes another way is asked here. What needs a person's consent had it in
/// the runner, and is not asked for again.
fn denied(plan: &RunPlan) -> Option<Problem> {
    let tool = ToolName::new("fetch_url").ok()?;
    let verdict = decide_tool(&plan.tool_gate(), &tool);
    (verdict.outcome == Outcome::Deny).then(|| problem::of_verdict(ProblemKind::PolicyRefused, &verdict))
}

impl Fetcher {
    async fn page(&self, plan: &RunPlan, wanted: &FetchRequest) -> Result<Fetched, Problem> {
        let url = parse(&wanted.url)?;
        let headers = headers::allowed(&wanted.headers)?;
        let max_chars = wanted.max_chars.unwrap_or(DEFAULT_CHARS).clamp(1, MOST_CHARS);
        let whole = async {
            let closed = |_| Problem::new(ProblemKind::Internal, "The gateway fetches no more pages.");
            let _permit = self.free.acquire().await.map_err(closed)?;
            let answer = self.follow(plan, url, headers).await?;
            self.read(answer, max_chars).await
        };
        let timeout = self.settings.timeout;
        tokio::time::timeout(timeout, whole).await.unwrap_or_else(|_| {
            let detail = format!("The page did not arrive within {timeout:?}.");
            Err(Problem::new(ProblemKind::Timeout, detail))
        })
    }
}

fn parse(text: &str) -> Result<Url, Problem> {
    let bad = |detail: String| Err(Problem::new(ProblemKind::BadRequest, detail));
    if text.len() > LONGEST_URL {
        return bad(format!("The URL is longer than {LONGEST_URL} bytes."));
    }
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => bad(format!(
            "Only http and https URLs can be fetched, not {}.",
            url.scheme()
        )),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            bad("Credentials do not belong into a URL; leave them out.".to_owned())
        }
        Ok(url) => Ok(url),
        Err(error) => bad(format!("The URL is not valid: {error}.")),
    }
}

async fn record(
    inner: &Inner,
    plan: &RunPlan,
    wanted: &FetchRequest,
    page: Result<&Fetched, &Problem>,
) -> Result<(), Problem> {
    let asked: String = wanted.url.chars().take(2_000).collect();
    let detail = match page {
        Ok(Fetched {
            response,
            bytes,
            verdict: Verdict { policy, rule, .. },
        }) => json!({
            "url": asked,
            "from": response.url,
            "status": response.status,
            "bytes": bytes,
            "policy": policy,
            "rule": rule,
        }),
        Err(problem) => json!({
            "url": asked,
            "error": problem.kind,
            "detail": problem.detail,
            "policy": problem.policy,
            "rule": problem.rule,
        }),
    };
    meter::fetch(page.err().map(|problem| problem.kind));
    audit(inner, plan, AuditKind::Fetch, detail).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_without_credentials_are_fetched() {
        for (url, fine) in [
            ("https://a.example/x?y", true),
            ("http://a.example", true),
            ("ftp://a.example/", false),
            ("file:///etc/passwd", false),
            ("gopher://a.example/", false),
            ("data:text/plain,x", false),
            ("https://u@a.example/", false),
            ("https://u:p@a.example/", false),
            ("https://:p@a.example/", false),
            ("a.example", false),
            ("", false),
        ] {
            assert_eq!(parse(url).is_ok(), fine, "{url}");
        }
        assert!(parse(&format!("https://a.example/{}", "x".repeat(LONGEST_URL))).is_err());
    }
}
