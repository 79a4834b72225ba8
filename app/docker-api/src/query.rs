//! The query of a request: flags, numbers and filters as dockerd reads them.

use std::collections::HashMap;

use cove_proto::v1::StringList;
use serde_json::Value;

use crate::error::Error;

/// A query, decoded.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads "a=1&b=x%20y".
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(name, true), percent_decoded(value, true))
        });
        Self(pairs.collect())
    }

    /// The first value of a name; empty when there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All values of a name.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether a flag is set: anything but these five words, as in dockerd.
    pub(crate) fn flag(&self, name: &str) -> bool {
        !matches!(self.get(name).trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// A number, when given. dockerd answers 500 to one that is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i32>, Error> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| Error::Internal(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))
    }

    /// The `filters`, in either of their forms: `{"label":{"a=b":true}}` (Go) or `{"label":["a=b"]}` (the others).
    pub(crate) fn filters(&self) -> Result<HashMap<String, StringList>, Error> {
        let text = self.get("filters");
        if text.is_empty() {
            return Ok(HashMap::new());
        }
        let invalid = || Error::BadRequest("invalid filter".to_owned());
        let Ok(Value::Object(filters)) = serde_json::from_str(text) else { return Err(invalid()) };
        filters.into_iter().map(|(key, values)| Ok((key, filter_values(&values).ok_or_else(invalid)?))).collect()
    }
}

/// The values of one filter.
fn filter_values(values: &Value) -> Option<StringList> {
    let values = match values {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(list) => list.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        _ => return None,
    };
    Some(StringList { values })
}

/// Decodes %XX, and + where it stands for a space. What is no valid escape stays as it is.
pub(crate) fn percent_decoded(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = hex.filter(|_| bytes[at] == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        decoded.push(byte.unwrap_or(if bytes[at] == b'+' && plus_is_space { b' ' } else { bytes[at] }));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Go's url.QueryEscape.
pub(crate) fn query_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_filters_are_read() {
        for text in [
            r#"filters={"label":{"a=b":true},"status":{"exited":true}}"#,
            "filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%2C%22status%22%3A%5B%22exited%22%5D%7D",
        ] {
            let filters = Query::parse(text).filters().unwrap();
            assert_eq!(filters["label"].values, ["a=b"], "{text}");
            assert_eq!(filters["status"].values, ["exited"], "{text}");
        }
    }

    #[test]
    fn filters_that_are_none_are_a_bad_request() {
        for text in ["filters=x", "filters=[]", "filters={\"a\":1}", "filters={\"a\":[1]}"] {
            assert_eq!(Query::parse(text).filters().unwrap_err().to_string(), "invalid filter", "{text}");
        }
    }

    #[test]
    fn flags_are_set_by_all_but_five_words() {
        let query = Query::parse("a=1&b=0&c=False&d=&e=yes&f");
        assert_eq!(
            ["a", "b", "c", "d", "e", "f", "g"].map(|name| query.flag(name)),
            [true, false, false, false, true, false, false]
        );
    }

    #[test]
    fn escapes_are_gos() {
        assert_eq!(query_escaped("a b/ä~"), "a+b%2F%C3%A4~");
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(percent_decoded("a%2", true), "a%2");
        assert_eq!(percent_decoded("%zz+%41", true), "%zz A");
        assert_eq!(percent_decoded("a+b", false), "a+b");
    }

    #[test]
    fn a_number_that_is_none_is_dockerds_error() {
        assert_eq!(
            Query::parse("t=x").number("t").unwrap_err().to_string(),
            "strconv.Atoi: parsing \"x\": invalid syntax"
        );
        assert_eq!(Query::parse("t=-1").number("t").unwrap(), Some(-1));
    }
}
