//! An installation's own certificate authority: TLS between its parts needs nobody else.
//!
//! | Question | Where |
//! | --- | --- |
//! | when is what made anew? | [`root_step`], [`leaf_due`], pure |
//! | how are certificates made and read? | [`root`], [`leaf`], [`life`], [`leaf_facts`] |
//! | where are they kept? | [`Roots`], pure |
//! | one look at all of it | [`renew`] |
//!
//! Must not know a clock or a client: who keeps the Secrets gives the time and writes what comes of it.

mod decide;
mod issue;
mod layout;

pub use decide::{Due, LeafFacts, Life, RootStep, Times, leaf_due, root_step};
pub use issue::{CertificateError, Pair, leaf, leaf_facts, life, root};
pub use layout::{AUTHORITY, BUNDLE_KEY, Roots, TLS_CERTIFICATE, TLS_KEY, TLS_TYPE};

use jiff::Timestamp;

/// A server, its names, and the certificate that it has.
#[derive(Debug, Clone)]
pub struct Server {
    /// The Secret with its certificate.
    pub secret: String,
    /// Its DNS names and addresses.
    pub names: Vec<String>,
    /// What that Secret holds; `None` = there is none.
    pub certificate: Option<Pair>,
}

/// What a look at everything came to.
#[derive(Debug)]
pub struct Renewal {
    /// The roots as they are to stand.
    pub roots: Roots,
    /// Whether that is another state than before, and has to be written.
    pub roots_changed: bool,
    /// Certificates to write, by the names of their Secrets, and why. Only after the bundle was written and, for
    /// [`Due::Root`], has been there for [`Times::overlap`], which [`root_step`] sees to.
    pub certificates: Vec<(String, Pair, Due)>,
}

/// Looks at roots and servers, and makes anew what is due. Running it twice at one time makes nothing twice.
pub fn renew(
    roots: Roots,
    servers: &[Server],
    now: Timestamp,
    times: &Times,
) -> Result<Renewal, CertificateError> {
    let (roots, roots_changed) = renew_roots(roots, now, times)?;
    let mut certificates = Vec::new();
    if let Some(current) = &roots.current {
        for server in servers {
            let known = server.certificate.as_ref();
            // What can't be read is as good as none.
            let facts = known
                .and_then(|pair| leaf_facts(&pair.certificate, &server.names, &current.certificate).ok());
            if let Some(due) = leaf_due(facts, now, times) {
                certificates.push((
                    server.secret.clone(),
                    leaf(current, &server.names, now, times)?,
                    due,
                ));
            }
        }
    }
    Ok(Renewal {
        roots,
        roots_changed,
        certificates,
    })
}

fn renew_roots(mut roots: Roots, now: Timestamp, times: &Times) -> Result<(Roots, bool), CertificateError> {
    let valid = |pem: &String| life(pem).is_ok_and(|life| life.left(now).is_positive());
    let before = roots.old.len();
    roots.old.retain(valid);
    let mut changed = roots.old.len() != before;
    let of = |pair: &Option<Pair>| pair.as_ref().and_then(|pair| life(&pair.certificate).ok());
    match root_step(of(&roots.current), of(&roots.next), now, times) {
        RootStep::Keep => {}
        RootStep::Begin => {
            roots.retire(valid);
            roots.next = None;
            roots.current = Some(root(now, times)?);
            changed = true;
        }
        RootStep::Prepare => {
            roots.next = Some(root(now, times)?);
            changed = true;
        }
        RootStep::TakeUp => {
            roots.retire(valid);
            roots.current = roots.next.take();
            changed = true;
        }
    }
    Ok((roots, changed))
}

impl Roots {
    /// The current root stays published, without its key.
    fn retire(&mut self, valid: impl Fn(&String) -> bool) {
        let retired = self.current.take().map(|pair| pair.certificate);
        self.old.extend(retired.filter(valid));
    }
}
