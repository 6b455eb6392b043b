//! Amounts of CPU and memory as Kubernetes writes them: `500m`, `2`, `128Mi`, `1.5Gi`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{borrow::Cow, fmt, str::FromStr};

/// What [`Quantity`] accepts, as a regular expression: no sign, because no amount here may be negative.
const PATTERN: &str = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|Mi|Gi|Ti|Pi|M|G|T|P)?$";

/// The most characters.
const MAX_LENGTH: usize = 24;

/// A non-negative amount, written as a number with an optional unit (`m`, `k`, `M`, `G`, `T`, `P`, `Ki`, `Mi`, `Gi`,
/// `Ti`, `Pi`). A bare number may also be given as a YAML integer.
///
/// ```
/// # use sympozium_k8s::crd::v1alpha1::Quantity;
/// assert_eq!("500m".parse::<Quantity>().unwrap().thousandths(), 500);
/// assert_eq!("1Ki".parse::<Quantity>().unwrap().units(), 1024);
/// assert!("-1".parse::<Quantity>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Quantity {
    text: String,
    thousandths: u64,
}

/// A text that is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount: write a number with an optional unit, such as 500m, 2 or 128Mi")]
pub struct InvalidQuantity(String);

impl Quantity {
    /// The amount in thousandths (of a core, of a byte).
    pub const fn thousandths(&self) -> u64 {
        self.thousandths
    }

    /// The amount in whole units, rounded up.
    pub const fn units(&self) -> u64 {
        self.thousandths.div_ceil(1000)
    }

    /// The amount as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let refuse = || InvalidQuantity(text.chars().take(80).collect());
        if text.len() > MAX_LENGTH {
            return Err(refuse());
        }
        let thousandths = parse(text).ok_or_else(refuse)?;
        Ok(Self {
            text: text.to_owned(),
            thousandths,
        })
    }
}

/// The amount in thousandths, rounded up as Kubernetes does. More than fits is the most that fits: whatever the schema's
/// pattern accepts must be readable, or one object would stop a watch over all.
fn parse(text: &str) -> Option<u64> {
    let unit_start = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(unit_start)?;
    let factor = thousandths_per(unit)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let mut amount = whole.parse::<u128>().ok()?.checked_mul(factor)?;
    if !fraction.is_empty() {
        let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = fraction.parse::<u128>().ok()?.checked_mul(factor)?;
        amount = amount.checked_add(part.div_ceil(scale))?;
    }
    Some(u64::try_from(amount).unwrap_or(u64::MAX))
}

fn thousandths_per(unit: &str) -> Option<u128> {
    Some(match unit {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "P" => 1_000_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        "Pi" => 1_000 << 50,
        _ => return None,
    })
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.text
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount such as 500m, 2 or 128Mi")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true, "maxLength": MAX_LENGTH, "pattern": PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("1", Some(1_000)),
            ("500m", Some(500)),
            ("0.1", Some(100)),
            ("0.0001", Some(1)),
            ("1k", Some(1_000_000)),
            ("128Mi", Some(128 * 1024 * 1024 * 1000)),
            ("1.5Gi", Some(3 * 512 * 1024 * 1024 * 1000)),
            ("", None),
            (".5", None),
            ("1.", None),
            ("1.2.3", None),
            ("-1", None),
            ("1e3", None),
            ("1 Gi", None),
            ("1gi", None),
            ("99999999999999Pi", Some(u64::MAX)),
        ] {
            assert_eq!(
                text.parse::<Quantity>().ok().map(|q| q.thousandths()),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_yaml_integer_is_an_amount_too() {
        assert_eq!(serde_json::from_str::<Quantity>("2").unwrap().as_str(), "2");
        assert!(serde_json::from_str::<Quantity>("-2").is_err());
    }
}
