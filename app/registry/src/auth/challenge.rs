//! What a registry demands: its `WWW-Authenticate` headers (RFC 9110, section 11.6.1).

use std::collections::HashMap;

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// One demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// "basic" or "bearer", in lower case.
    pub(crate) scheme: String,
    /// Its parameters; names in lower case.
    pub(crate) parameters: HashMap<String, String>,
}

impl Challenge {
    /// A parameter; empty when there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

/// All demands of an answer.
pub(crate) fn read(headers: &HeaderMap) -> Vec<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| one(value.to_str().ok()?)).collect()
}

/// One header; registries put one demand into each.
fn one(text: &str) -> Option<Challenge> {
    let (scheme, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.is_empty() {
        return None;
    }
    let mut parameters = HashMap::new();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = value(after);
        parameters.insert(name.trim_matches([' ', ',', '\t']).to_ascii_lowercase(), value);
        rest = after;
    }
    Some(Challenge { scheme: scheme.to_ascii_lowercase(), parameters })
}

/// A quoted string or a token, and what follows.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demands_are_read_with_commas_in_quotes_and_escapes() {
        let demand = one(
            r#"Bearer realm="https://a/token",service="a b", scope="repository:x:pull,push",error=insufficient_scope"#,
        )
        .unwrap();
        assert_eq!(demand.scheme, "bearer");
        assert_eq!(demand.get("realm"), "https://a/token");
        assert_eq!(demand.get("scope"), "repository:x:pull,push");
        assert_eq!(demand.get("error"), "insufficient_scope");
        assert_eq!(demand.get("absent"), "");
        let basic = one(r#"basic Realm="say \"x\"""#).unwrap();
        assert_eq!((basic.scheme.as_str(), basic.get("realm")), ("basic", "say \"x\""));
        assert_eq!(one("Negotiate").unwrap().parameters.len(), 0);
        assert_eq!(one(""), None);
        assert_eq!(one(r#"Bearer realm="unclosed"#).unwrap().get("realm"), "unclosed");
    }
}
