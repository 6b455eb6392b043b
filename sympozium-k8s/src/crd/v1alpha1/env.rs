//! Literal environment variables.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An environment variable with a literal value. References to Secrets or ConfigMaps are not possible on purpose: what
/// an agent can read, its model can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!self.name.startsWith('SYMPOZIUM_') && !self.name.startsWith('LD_') && !self.name.lowerAscii().endsWith('_proxy')",
    "message": "names SYMPOZIUM_*, LD_* and *_PROXY are reserved",
    "fieldPath": ".name",
    "reason": "FieldValueForbidden",
}]))]
pub struct EnvVar {
    /// Name: letters, digits and underscores. `SYMPOZIUM_*`, `LD_*` and `*_PROXY` (in any case) are refused.
    #[schemars(length(max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Value, taken literally. At most 32,768 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 32768))]
    pub value: String,
}

impl EnvVar {
    /// Whether the name is one that the platform keeps for itself: `SYMPOZIUM_*`, `LD_*`, `*_PROXY` in any case.
    pub fn is_reserved(&self) -> bool {
        self.name.starts_with("SYMPOZIUM_")
            || self.name.starts_with("LD_")
            || self.name.to_ascii_lowercase().ends_with("_proxy")
    }
}
