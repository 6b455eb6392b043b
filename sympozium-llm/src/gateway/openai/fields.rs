//! The fields of a request that have no counterpart here: which are harmless, and which value of the others means
//! what happens anyway. Pure.

use super::error::Refusal;
use serde_json::{Map, Value, json};

/// Hints, labels, and what only speeds things up: leaving them out changes nothing that the client could see.
const HARMLESS: &[&str] = &[
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "seed",
    "user",
];

/// The values of a field that ask for what happens anyway.
fn as_it_is(field: &str) -> &'static [&'static str] {
    match field {
        "n" | "top_p" => &["1"],
        "presence_penalty" | "frequency_penalty" | "top_logprobs" => &["0"],
        "logprobs" | "store" => &["false"],
        "parallel_tool_calls" => &["true"],
        "response_format" => &[r#"{"type":"text"}"#],
        "modalities" => &[r#"["text"]"#],
        "service_tier" => &[r#""auto""#, r#""default""#],
        "verbosity" => &[r#""medium""#],
        "logit_bias" => &["{}"],
        "stop" | "functions" => &["[]"],
        // Whatever this may mean, it can't be honoured.
        _ => &[],
    }
}

/// Refuses the first field that asks for something that the gateway can't do.
pub(super) fn check(fields: &Map<String, Value>) -> Result<(), Refusal> {
    for (field, value) in fields {
        let harmless = value.is_null() || HARMLESS.contains(&field.as_str());
        let allowed = as_it_is(field);
        if harmless || allowed.iter().any(|text| same(value, text)) {
            continue;
        }
        let way_out = match allowed {
            [] => "leave it out".to_owned(),
            allowed => format!("leave it out, or send {}", allowed.join(" or ")),
        };
        return Err(Refusal::invalid(
            field,
            format!("The gateway can't honour `{field}`; {way_out}."),
        ));
    }
    Ok(())
}

/// Numbers are compared as numbers: 1.0 is 1.
fn same(value: &Value, text: &str) -> bool {
    let expected = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    match (value.as_f64(), expected.as_f64()) {
        (Some(value), Some(expected)) => (value - expected).abs() < f64::EPSILON,
        _ => *value == expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(fields: Value) -> Option<String> {
        let Value::Object(fields) = fields else {
            unreachable!()
        };
        check(&fields).err().and_then(|refusal| refusal.param)
    }

    #[test]
    fn what_happens_anyway_may_be_asked_for() {
        let asked = json!({
            "n": 1, "top_p": 1.0, "presence_penalty": 0, "logprobs": false, "store": false, "stop": null,
            "parallel_tool_calls": true, "response_format": {"type": "text"}, "modalities": ["text"],
            "service_tier": "default", "logit_bias": {}, "verbosity": "medium",
            "user": "u", "seed": 7, "metadata": {"a": "b"},
        });
        assert_eq!(refused(asked), None);
    }

    #[test]
    fn what_cant_be_honoured_is_refused_by_name() {
        for asked in [
            json!({"n": 2}),
            json!({"top_p": 0.5}),
            json!({"stop": ["x"]}),
            json!({"logprobs": true}),
            json!({"response_format": {"type": "json_object"}}),
            json!({"parallel_tool_calls": false}),
            json!({"modalities": ["text", "audio"]}),
            json!({"web_search_options": {}}),
            json!({"nobody_knows": 1}),
        ] {
            let field = asked.as_object().unwrap().keys().next().cloned();
            assert_eq!(refused(asked), field);
        }
    }
}
