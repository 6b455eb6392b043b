//! What the server needs in its configuration. Pure.

use super::keys::PublicKeys;
use std::path::PathBuf;

/// The account in which the bus is; users are put there by the audience of their JWT.
pub const ACCOUNT: &str = "SYMPOZIUM";
/// The subject of the server's questions.
pub(super) const QUESTIONS: &str = "$SYS.REQ.USER.AUTH";
/// The inbox of the callout's own connections.
pub(super) const INBOX: &str = "sympozium-callout";

/// A server's certificate and key, as PEM files at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with what leads to its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// The part of a nats-server's configuration that hands authentication to the callout: accounts, keys, permissions of the
/// callout's own users, and TLS. All keys in it are public. Listening, storage and clustering are the administrator's.
///
/// The server waits 1.5 seconds for an answer. It must be less than two: after that it greets the client, who takes that for
/// success.
pub fn server_block(keys: &PublicKeys, tls: Option<&TlsFiles>) -> String {
    let PublicKeys {
        issuer,
        callout,
        system,
        xkey,
    } = keys;
    let tls = tls.map(|TlsFiles { certificate, key }| {
        format!("tls {{\n  cert_file: {certificate:?}\n  key_file: {key:?}\n}}\n")
    });
    format!(
        r#"system_account: SYS
accounts {{
  {ACCOUNT} {{ jetstream: enabled }}
  AUTH {{
    users: [ {{
      nkey: {callout}
      permissions: {{
        publish: {{ deny: ">" }}
        subscribe: {{ allow: ["{QUESTIONS}"] }}
        allow_responses: {{ max: 1, expires: "5s" }}
      }}
    }} ]
  }}
  SYS {{
    users: [ {{
      nkey: {system}
      permissions: {{
        publish: {{ allow: ["$SYS.REQ.SERVER.*.KICK"] }}
        subscribe: {{ allow: ["_INBOX.{INBOX}.>"] }}
      }}
    }} ]
  }}
}}
authorization {{
  timeout: 1.5
  auth_callout {{
    issuer: {issuer}
    account: AUTH
    auth_users: [ {callout}, {system} ]
    xkey: {xkey}
  }}
}}
{}"#,
        tls.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_what_the_server_was_tried_with() {
        let keys = PublicKeys {
            issuer: "AISSUER".to_owned(),
            callout: "UCALLOUT".to_owned(),
            system: "USYSTEM".to_owned(),
            xkey: "XKEY".to_owned(),
        };
        let files = TlsFiles {
            certificate: "/etc/nats/tls.crt".into(),
            key: "/etc/nats/tls.key".into(),
        };
        insta::assert_snapshot!(server_block(&keys, Some(&files)));
    }
}
