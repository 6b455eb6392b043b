//! From one address to the next: each is decided by policy, then by the connector.

use super::super::problem;
use super::{Fetcher, text};
use crate::http::{AddressRefused, AddressRules};
use http::{HeaderMap, Method, header};
use reqwest::Response;
use sympozium_core::error::chain;
use sympozium_core::gateway::{FetchResponse, Problem, ProblemKind};
use sympozium_core::policy::{Outcome, Verdict, decide_egress};
use sympozium_core::run::RunPlan;
use url::Url;

/// A page, and which rule let it through.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) response: FetchResponse,
    pub(super) bytes: usize,
    pub(super) verdict: Verdict,
}

/// An answer that is no redirect, not read yet.
pub(super) struct Answer {
    response: Response,
    url: Url,
    verdict: Verdict,
}

impl Fetcher {
    /// Asks, and goes where it is sent, until there is an answer that is no redirect.
    pub(super) async fn follow(
        &self,
        plan: &RunPlan,
        url: Url,
        headers: HeaderMap,
    ) -> Result<Answer, Problem> {
        let mut url = url;
        for _ in 0..=self.settings.max_redirects {
            let (response, verdict) = self.ask(plan, &url, &headers).await?;
            let Some(next) = next(&url, &response) else {
                return Ok(Answer {
                    response,
                    url,
                    verdict,
                });
            };
            url = next?;
        }
        let detail = format!(
            "The page is behind more than {} redirects.",
            self.settings.max_redirects
        );
        Err(Problem::new(ProblemKind::FetchFailed, detail))
    }

    /// Asks one address, if policy and connector allow it.
    async fn ask(
        &self,
        plan: &RunPlan,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<(Response, Verdict), Problem> {
        let decided = decide_egress(&plan.policies, url, Method::GET.as_str());
        if decided.verdict.outcome != Outcome::Allow {
            return Err(problem::of_verdict(ProblemKind::EgressRefused, &decided.verdict));
        }
        let failed = |detail: String| Problem::new(ProblemKind::FetchFailed, detail);
        let client = if decided.private {
            let rules = AddressRules::public_only().allow_url(url);
            self.client
                .with_rules(rules)
                .map_err(|error| failed(format!("{}.", chain(&error))))?
        } else {
            self.client.clone()
        };
        let request = client
            .request(Method::GET, url.clone())
            .map_err(|refused| inward(&refused))?;
        match request.headers(headers.clone()).send().await {
            Ok(response) => Ok((response, decided.verdict)),
            Err(error) => Err(match AddressRefused::behind(&error) {
                Some(refused) => inward(refused),
                None => failed(format!(
                    "The page could not be had: {}.",
                    chain(&error.without_url())
                )),
            }),
        }
    }

    /// Reads the answer, within the largest size, as text.
    pub(super) async fn read(&self, answer: Answer, max_chars: u32) -> Result<Fetched, Problem> {
        let Answer {
            mut response,
            url,
            verdict,
        } = answer;
        let failed = |detail: String| Problem::new(ProblemKind::FetchFailed, detail);
        let most = self.settings.max_bytes;
        let too_large = || failed(format!("The page is larger than {most} bytes."));
        if response
            .content_length()
            .is_some_and(|length| length > most as u64)
        {
            return Err(too_large());
        }
        let status = response.status().as_u16();
        let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
        let mut body = Vec::new();
        loop {
            let piece = response.chunk().await;
            let piece = piece
                .map_err(|error| failed(format!("The page broke off: {}.", chain(&error.without_url()))))?;
            let Some(piece) = piece else { break };
            if body.len() + piece.len() > most {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        let bytes = body.len();
        let page = text::of_page(content_type.as_ref(), body).await.map_err(failed)?;
        let (text, cut_chars) = text::cut(page.text, max_chars);
        let response = FetchResponse {
            url: url.to_string(),
            status,
            content_type: page.media_type,
            text,
            cut_chars,
        };
        Ok(Fetched {
            response,
            bytes,
            verdict,
        })
    }
}

/// Where an answer sends its reader; `None` when it is no redirect.
fn next(from: &Url, response: &Response) -> Option<Result<Url, Problem>> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(header::LOCATION).filter(|_| redirects)?;
    let url = location.to_str().ok().and_then(|text| from.join(text).ok());
    let nowhere = || Problem::new(ProblemKind::FetchFailed, "The page redirects to what is no URL.");
    Some(url.ok_or_else(nowhere))
}

fn inward(refused: &AddressRefused) -> Problem {
    Problem::new(
        ProblemKind::EgressRefused,
        format!(
            "The address of {} is not allowed: {}.",
            refused.url, refused.detail
        ),
    )
}
