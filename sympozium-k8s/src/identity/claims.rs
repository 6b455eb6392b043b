//! What a token says about itself, before anybody is asked whether it is true. Pure.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// The longest token that is looked at. Projected ones have about a thousand bytes.
const LONGEST: usize = 16 << 10;

/// What a projected token claims. Nothing of it is proven; it decides whether a review is worth its while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// For whom it was made.
    pub(super) audiences: Vec<String>,
    /// Until when it holds.
    pub(super) expires: Timestamp,
    /// The pod that it is bound to.
    pub(super) pod: Uuid,
}

/// Why a token is not even reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Junk {
    /// It is no token of a ServiceAccount.
    Shape,
    /// It has expired.
    Expired,
    /// It is bound to no pod.
    NoPod,
}

#[derive(Deserialize)]
struct Payload {
    aud: Value,
    exp: i64,
    sub: String,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

#[derive(Deserialize)]
struct Kubernetes {
    pod: Option<Object>,
}

#[derive(Deserialize)]
struct Object {
    uid: Uuid,
}

/// Reads the claims of a token as the API server makes them.
pub(super) fn read(token: &str, now: Timestamp) -> Result<Claims, Junk> {
    if token.len() > LONGEST {
        return Err(Junk::Shape);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Junk::Shape);
    };
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Junk::Shape);
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    if signature.is_empty() || serde_json::from_slice::<Value>(&header).is_err() {
        return Err(Junk::Shape);
    }
    let payload: Payload = serde_json::from_slice(&payload).map_err(|_| Junk::Shape)?;
    if !payload.sub.starts_with("system:serviceaccount:") {
        return Err(Junk::Shape);
    }
    let expires = Timestamp::from_second(payload.exp).map_err(|_| Junk::Shape)?;
    if expires <= now {
        return Err(Junk::Expired);
    }
    let pod = payload.kubernetes.and_then(|kubernetes| kubernetes.pod);
    Ok(Claims {
        audiences: audiences(payload.aud)?,
        expires,
        pod: pod.ok_or(Junk::NoPod)?.uid,
    })
}

/// One audience, or a list of them.
fn audiences(value: Value) -> Result<Vec<String>, Junk> {
    match value {
        Value::String(one) => Ok(vec![one]),
        Value::Array(all) => all
            .into_iter()
            .map(|one| one.as_str().map(str::to_owned).ok_or(Junk::Shape))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(Junk::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(payload: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signature = BASE64_URL_SAFE_NO_PAD.encode("signature");
        format!("{}.{}.{signature}", part(&json!({"alg": "RS256"})), part(payload))
    }

    fn payload() -> Value {
        json!({
            "aud": ["sympozium-gateway"],
            "exp": 1_000,
            "iss": "https://kubernetes.default.svc",
            "kubernetes.io": {
                "namespace": "team",
                "pod": {"name": "r-abcde", "uid": "00000000-0000-0000-0000-000000000b0d"},
                "serviceaccount": {"name": "sa", "uid": "00000000-0000-0000-0000-000000000001"},
            },
            "sub": "system:serviceaccount:team:sa",
        })
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_bound_token_says_for_whom_until_when_and_which_pod() {
        let expected = Claims {
            audiences: vec!["sympozium-gateway".to_owned()],
            expires: at(1_000),
            pod: Uuid::from_u128(0xb0d),
        };
        assert_eq!(read(&token(&payload()), at(999)), Ok(expected.clone()));
        let mut single = payload();
        single["aud"] = json!("sympozium-gateway");
        assert_eq!(read(&token(&single), at(0)), Ok(expected));
    }

    #[test]
    fn what_is_no_such_token_is_told_apart() {
        let with = |change: &dyn Fn(&mut Value)| {
            let mut payload = payload();
            change(&mut payload);
            token(&payload)
        };
        let good = token(&payload());
        for (name, token, expected) in [
            ("empty", String::new(), Junk::Shape),
            ("a word", "t0ken".to_owned(), Junk::Shape),
            (
                "two parts",
                good.rsplit_once('.').unwrap().0.to_owned(),
                Junk::Shape,
            ),
            ("four parts", format!("{good}.x"), Junk::Shape),
            ("no base64", good.replace('.', ".!"), Junk::Shape),
            ("huge", "a".repeat(LONGEST + 1), Junk::Shape),
            ("a user's", with(&|p| p["sub"] = json!("jane")), Junk::Shape),
            ("no audience", with(&|p| p["aud"] = json!(7)), Junk::Shape),
            ("expired", with(&|p| p["exp"] = json!(999)), Junk::Expired),
            (
                "a pod without a UID",
                with(&|p| p["kubernetes.io"]["pod"] = json!({"name": "r"})),
                Junk::Shape,
            ),
            (
                "no pod",
                with(&|p| p["kubernetes.io"]["pod"] = Value::Null),
                Junk::NoPod,
            ),
            (
                "an old one",
                with(&|p| p["kubernetes.io"] = Value::Null),
                Junk::NoPod,
            ),
        ] {
            assert_eq!(read(&token, at(999)), Err(expected), "{name}");
        }
    }
}
