//! NATS' form of JSON web tokens: `base64url(header).base64url(claims).base64url(ed25519 signature of both)`. Pure.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use nkeys::{KeyPair, KeyPairType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha512_256};

const ALGORITHM: &str = "ed25519-nkey";

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an acceptable token: {0}")]
pub(super) struct InvalidToken(pub(super) &'static str);

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Issued {
    iss: String,
}

/// Signs claims, and adds `iss` and `jti` to them.
pub(super) fn sign(key: &KeyPair, claims: &impl Serialize) -> Result<String, InvalidToken> {
    let unreadable = |_| InvalidToken("the claims can't be written");
    let mut claims = serde_json::to_value(claims).map_err(unreadable)?;
    let Value::Object(fields) = &mut claims else {
        return Err(InvalidToken("the claims are no object"));
    };
    fields.insert("iss".to_owned(), json!(key.public_key()));
    fields.insert("jti".to_owned(), json!(""));
    let digest = Sha512_256::digest(serde_json::to_vec(fields).map_err(unreadable)?);
    fields.insert("jti".to_owned(), json!(BASE32_NOPAD.encode(&digest)));
    let header = json!({"typ": "JWT", "alg": ALGORITHM});
    let part = |value: &Value| serde_json::to_vec(value).map(|bytes| BASE64URL_NOPAD.encode(&bytes));
    let signed = format!(
        "{}.{}",
        part(&header).map_err(unreadable)?,
        part(&claims).map_err(unreadable)?
    );
    let signature = key.sign(signed.as_bytes());
    let signature = signature.map_err(|_| InvalidToken("the key can't sign"))?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

/// The claims of a token that a key of this kind has signed, and that key.
pub(super) fn verify<T: for<'a> Deserialize<'a>>(
    token: &str,
    kind: &KeyPairType,
) -> Result<(T, String), InvalidToken> {
    let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken("not three parts"))?;
    let (header, claims) = signed.split_once('.').ok_or(InvalidToken("not three parts"))?;
    let bytes = |part: &str| {
        let decoded = BASE64URL_NOPAD.decode(part.as_bytes());
        decoded.map_err(|_| InvalidToken("not base64url"))
    };
    let unreadable = |_| InvalidToken("not the JSON that is expected");
    let header: Header = serde_json::from_slice(&bytes(header)?).map_err(unreadable)?;
    if header.alg != ALGORITHM {
        return Err(InvalidToken("another algorithm"));
    }
    let claims = bytes(claims)?;
    let issued: Issued = serde_json::from_slice(&claims).map_err(unreadable)?;
    let key = KeyPair::from_public_key(&issued.iss).map_err(|_| InvalidToken("no issuer"))?;
    if std::mem::discriminant(&key.key_pair_type()) != std::mem::discriminant(kind) {
        return Err(InvalidToken("an issuer of another kind"));
    }
    key.verify(signed.as_bytes(), &bytes(signature)?)
        .map_err(|_| InvalidToken("the signature does not fit"))?;
    Ok((serde_json::from_slice(&claims).map_err(unreadable)?, issued.iss))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_read_and_what_was_changed_is_not() {
        let key = KeyPair::new_server();
        let token = sign(&key, &json!({"sub": "x"})).unwrap();
        let (claims, issuer): (Value, String) = verify(&token, &KeyPairType::Server).unwrap();
        assert_eq!((claims["sub"].as_str(), issuer), (Some("x"), key.public_key()));
        assert_eq!(claims["jti"].as_str().map(str::len), Some(52));

        let refused = |token: &str, kind| verify::<Value>(token, &kind).unwrap_err().0;
        assert_eq!(refused(&token, KeyPairType::Account), "an issuer of another kind");
        let [header, claims, signature] =
            <[&str; 3]>::try_from(token.split('.').collect::<Vec<_>>()).unwrap();
        let forged = BASE64URL_NOPAD.encode(
            String::from_utf8(BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap())
                .unwrap()
                .replace("\"x\"", "\"y\"")
                .as_bytes(),
        );
        assert_eq!(
            refused(&format!("{header}.{forged}.{signature}"), KeyPairType::Server),
            "the signature does not fit"
        );
        let none = BASE64URL_NOPAD.encode(br#"{"typ":"JWT","alg":"none"}"#);
        assert_eq!(
            refused(&format!("{none}.{claims}.{signature}"), KeyPairType::Server),
            "another algorithm"
        );
        assert_eq!(refused("a.b", KeyPairType::Server), "not three parts");
        assert_eq!(refused("", KeyPairType::Server), "not three parts");
        assert_eq!(refused("!.!.!", KeyPairType::Server), "not base64url");
    }
}
