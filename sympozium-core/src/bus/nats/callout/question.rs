//! What the server asks. Pure.

use super::jwt::{self, InvalidToken};
use jiff::Timestamp;
use nkeys::{KeyPairType, XKey};
use secrecy::SecretString;
use serde::Deserialize;
use std::fmt;

/// The most bytes of a question; the server takes at most 4,096 of a client's own words.
const LARGEST: usize = 64 * 1024;
/// The audience of every question (nats-server, `auth_callout.go`).
const AUDIENCE: &str = "nats-authorization-request";

/// A question whose origin has been checked.
pub(super) struct Question {
    /// The id of the server.
    pub(super) server: String,
    /// The server's curve key, to seal the answer to.
    pub(super) server_key: XKey,
    /// The number of the client's connection at that server.
    pub(super) connection: u64,
    /// The key by which the server will know the user.
    pub(super) user: String,
    /// What the client presents, if anything.
    pub(super) token: Option<SecretString>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("server", &self.server)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    nats: Request,
}

#[derive(Deserialize)]
struct Request {
    server_id: ServerId,
    user_nkey: String,
    client_info: ClientInfo,
    connect_opts: ConnectOptions,
}

#[derive(Deserialize)]
struct ServerId {
    id: String,
    #[serde(default)]
    xkey: String,
}

#[derive(Deserialize)]
struct ClientInfo {
    id: u64,
}

#[derive(Deserialize)]
struct ConnectOptions {
    auth_token: Option<SecretString>,
}

/// Opens a question that was sealed to `ours` with the server's key, which came beside it, and checks that a server has
/// signed it and still waits.
pub(super) fn open(
    ours: &XKey,
    server_key: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<Question, InvalidToken> {
    if sealed.len() > LARGEST {
        return Err(InvalidToken("too large"));
    }
    let theirs = XKey::from_public_key(server_key).map_err(|_| InvalidToken("no key to answer to"))?;
    let opened = ours.open(sealed, &theirs);
    let opened = opened.map_err(|_| InvalidToken("not sealed to this service"))?;
    let token = String::from_utf8(opened).map_err(|_| InvalidToken("not text"))?;
    let (claims, _): (Claims, String) = jwt::verify(&token, &KeyPairType::Server)?;
    let request = claims.nats;
    if claims.aud != AUDIENCE {
        return Err(InvalidToken("not a question"));
    }
    // The server's clock says whole seconds.
    if claims.exp < now.as_second() {
        return Err(InvalidToken("the server no longer waits"));
    }
    if request.server_id.xkey != server_key {
        return Err(InvalidToken("sealed by another than who asks"));
    }
    Ok(Question {
        server: request.server_id.id,
        server_key: theirs,
        connection: request.client_info.id,
        user: request.user_nkey,
        token: request.connect_opts.auth_token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nkeys::KeyPair;
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    fn claims(xkey: &str) -> Value {
        json!({"aud": AUDIENCE, "exp": 100, "sub": "A", "nats": {
            "server_id": {"id": "NID", "name": "n", "xkey": xkey},
            "user_nkey": "UUSER",
            "client_info": {"id": 7, "kind": "Client"},
            "connect_opts": {"auth_token": "s3cret", "protocol": 1},
        }})
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_question_of_a_server_is_opened() {
        let (ours, theirs) = (XKey::new(), XKey::new());
        let token = jwt::sign(&KeyPair::new_server(), &claims(&theirs.public_key())).unwrap();
        let sealed = theirs.seal(token.as_bytes(), &ours).unwrap();
        let question = open(&ours, &theirs.public_key(), &sealed, at(100)).unwrap();
        assert_eq!(
            (
                question.server.as_str(),
                question.connection,
                question.user.as_str()
            ),
            ("NID", 7, "UUSER")
        );
        assert_eq!(question.token.as_ref().unwrap().expose_secret(), "s3cret");
        assert!(!format!("{question:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_no_question_of_a_server_is_refused() {
        let (ours, theirs, other) = (XKey::new(), XKey::new(), XKey::new());
        let server = KeyPair::new_server();
        let good = claims(&theirs.public_key());
        let with = |pointer: &str, value: Value| {
            let mut claims = good.clone();
            *claims.pointer_mut(pointer).unwrap() = value;
            claims
        };
        let check = |key: &KeyPair, claims: &Value, to: &XKey, now| {
            let token = jwt::sign(key, claims).unwrap();
            let sealed = theirs.seal(token.as_bytes(), to).unwrap();
            open(&ours, &theirs.public_key(), &sealed, at(now)).unwrap_err().0
        };
        for (found, wanted) in [
            (check(&server, &good, &other, 0), "not sealed to this service"),
            (
                check(&KeyPair::new_user(), &good, &ours, 0),
                "an issuer of another kind",
            ),
            (check(&server, &good, &ours, 101), "the server no longer waits"),
            (
                check(&server, &with("/aud", json!("x")), &ours, 0),
                "not a question",
            ),
            (
                check(
                    &server,
                    &with("/nats/server_id/xkey", json!(other.public_key())),
                    &ours,
                    0,
                ),
                "sealed by another than who asks",
            ),
        ] {
            assert_eq!(found, wanted);
        }
        let error = open(&ours, "nonsense", b"", at(0)).unwrap_err();
        assert_eq!(error.0, "no key to answer to");
        let error = open(&ours, &theirs.public_key(), &vec![0; LARGEST + 1], at(0)).unwrap_err();
        assert_eq!(error.0, "too large");
    }
}
