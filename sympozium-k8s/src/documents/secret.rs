//! Secrets in files: what a local run takes its keys from.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// The annotation of a Secret that names the one address to which its key may be sent.
pub const BASE_URL_ANNOTATION: &str = "sympozium.ai/base-url";

/// A Secret: its values are never shown.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Name, namespace, annotations.
    pub metadata: ObjectMeta,
    /// Values by key; those of `data` are decoded already, those of `stringData` win.
    pub values: BTreeMap<String, SecretString>,
}

impl Secret {
    /// The address to which its key may be sent, when it names one.
    pub fn base_url(&self) -> Option<&str> {
        self.metadata
            .annotations
            .as_ref()?
            .get(BASE_URL_ANNOTATION)
            .map(String::as_str)
    }
}

/// All values, those of `data` decoded; the error names the key only.
pub(super) fn values(
    data: BTreeMap<String, SecretString>,
    string_data: BTreeMap<String, SecretString>,
) -> Result<BTreeMap<String, SecretString>, String> {
    let mut values = BTreeMap::new();
    for (key, encoded) in data {
        let text = decode(encoded.expose_secret())
            .ok_or_else(|| format!("data.{key} is not text in base64; use stringData for plain text"))?;
        values.insert(key, SecretString::from(text));
    }
    values.extend(string_data);
    Ok(values)
}

/// Text from standard base64 (RFC 4648 section 4), line breaks allowed.
fn decode(encoded: &str) -> Option<String> {
    let symbols: Vec<u8> = encoded.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    if !symbols.len().is_multiple_of(4) {
        return None;
    }
    let padding = symbols.iter().rev().take_while(|b| **b == b'=').count();
    let (body, _) = symbols.split_at_checked(symbols.len().checked_sub(padding)?)?;
    if padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len() * 3 / 4);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for symbol in body {
        buffer = (buffer << 6) | u32::from(value(*symbol)?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
            buffer &= (1 << bits) - 1;
        }
    }
    // Bits that are left over must be zero, else two texts would mean the same.
    if buffer != 0 {
        return None;
    }
    String::from_utf8(bytes).ok()
}

fn value(symbol: u8) -> Option<u8> {
    Some(match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_strictly() {
        for (encoded, expected) in [
            ("", Some("")),
            ("Zg==", Some("f")),
            ("Zm8=", Some("fo")),
            ("Zm9v", Some("foo")),
            ("Zm9v\nYmFy", Some("foobar")),
            ("w6Q=", Some("ä")),
            ("Zg", None),
            ("Zh==", None),
            ("Z===", None),
            ("Zm9v!", None),
            ("/w==", None),
        ] {
            assert_eq!(decode(encoded).as_deref(), expected, "{encoded:?}");
        }
    }
}
