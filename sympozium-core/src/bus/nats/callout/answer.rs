//! What the server is answered. Pure.

use super::Grant;
use super::config::ACCOUNT;
use super::jwt::{self, InvalidToken};
use super::question::Question;
use crate::bus::Permissions;
use jiff::{SignedDuration, Timestamp};
use nkeys::KeyPair;
use serde::Serialize;
use std::time::Duration;

/// The most subscriptions of one connection: a bridge has a handful.
const SUBSCRIPTIONS: i64 = 1_024;
/// The most bytes of one message: the server's own default.
const PAYLOAD: i64 = 1024 * 1024;

#[derive(Debug, Serialize)]
struct Claims<'a, T> {
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    nats: T,
}

#[derive(Debug, Serialize)]
struct User {
    r#type: &'static str,
    version: u8,
    subs: i64,
    data: i64,
    payload: i64,
    r#pub: Allowed,
    sub: Allowed,
}

#[derive(Debug, Serialize)]
struct Allowed {
    allow: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Response {
    r#type: &'static str,
    version: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// When the permissions of a grant end: after `lifetime`, or with the token if that is sooner. None when it has ended.
pub(super) fn expiry(grant: &Grant, now: Timestamp, lifetime: Duration) -> Option<Timestamp> {
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
    let longest = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
    let expires = grant.expires.min(longest);
    // The server counts whole seconds.
    (expires.as_second() > now.as_second()).then_some(expires)
}

/// The user that the server makes of a client.
fn user(question: &Question, grant: &Grant, now: Timestamp, expires: Timestamp) -> impl Serialize {
    let Permissions { publish, subscribe } = grant.principal.permissions();
    Claims {
        aud: ACCOUNT,
        sub: &question.user,
        iat: now.as_second(),
        exp: Some(expires.as_second()),
        name: Some(grant.principal.name()),
        nats: User {
            r#type: "user",
            version: 2,
            subs: SUBSCRIPTIONS,
            data: -1,
            payload: PAYLOAD,
            r#pub: Allowed { allow: publish },
            sub: Allowed { allow: subscribe },
        },
    }
}

/// The answer: the user with its permissions until `expires`, or the reason why there is none. Sealed by the caller.
pub(super) fn answer(
    issuer: &KeyPair,
    question: &Question,
    verdict: Result<(&Grant, Timestamp), String>,
    now: Timestamp,
) -> Result<String, InvalidToken> {
    let (jwt, error) = match verdict {
        Ok((grant, expires)) => (
            Some(jwt::sign(issuer, &user(question, grant, now, expires))?),
            None,
        ),
        Err(reason) => (None, Some(reason)),
    };
    let response = Claims {
        aud: &question.server,
        sub: &question.user,
        iat: now.as_second(),
        exp: None,
        name: None,
        nats: Response {
            r#type: "authorization_response",
            version: 2,
            jwt,
            error,
        },
    };
    jwt::sign(issuer, &response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Principal;
    use nkeys::{KeyPairType, XKey};
    use serde_json::Value;
    use uuid::Uuid;

    fn grant(expires: i64) -> Grant {
        Grant {
            principal: Principal::ApiServer {
                pod: Uuid::from_u128(0xb0d),
            },
            expires: at(expires),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn permissions_end_after_minutes_or_with_the_token() {
        let lifetime = Duration::from_mins(5);
        for (token, wanted) in [
            (10_000, Some(1_300)),
            (1_100, Some(1_100)),
            (1_000, None),
            (1, None),
        ] {
            assert_eq!(
                expiry(&grant(token), at(1_000), lifetime),
                wanted.map(at),
                "the token expires at {token}"
            );
        }
    }

    fn nested(text: &str) -> Value {
        let (claims, _) = jwt::verify(text, &KeyPairType::Account).unwrap();
        claims
    }

    #[test]
    fn an_answer_has_the_form_that_the_server_reads() {
        let question = Question {
            server: "NID".to_owned(),
            server_key: XKey::new(),
            connection: 7,
            user: "UUSER".to_owned(),
            token: None,
        };
        // Keys from fixed bytes, so that the text is the same each time.
        let issuer = KeyPair::new_from_raw(KeyPairType::Account, [7; 32]).unwrap();
        let grant = grant(2_000);
        let allowed = answer(&issuer, &question, Ok((&grant, at(1_300))), at(1_000)).unwrap();
        let refused = answer(&issuer, &question, Err("the run has ended".to_owned()), at(1_000)).unwrap();
        let mut shown = nested(&allowed);
        let user = shown.pointer_mut("/nats/jwt").unwrap();
        *user = nested(user.as_str().unwrap());
        insta::assert_json_snapshot!([shown, nested(&refused)]);
    }
}
