//! The arguments of a tool call on their way back to a model. Pure.

use serde_json::{Map, Value};

/// The arguments as the object that every provider insists on. Text that the model wrote and that was no object goes
/// back under `invalid_json`, so that the model sees what it had written.
pub(super) fn as_object(arguments: &Value) -> Map<String, Value> {
    match arguments {
        Value::Object(object) => object.clone(),
        other => Map::from_iter([("invalid_json".to_owned(), other.clone())]),
    }
}
