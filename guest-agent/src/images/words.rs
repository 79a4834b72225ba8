//! Words of a Dockerfile line: quotes, backslashes and `$NAME`.

/// Variables that are known, the last of a name counts.
pub(super) type Variables<'a> = &'a [(String, String)];

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WordError {
    /// A quote that is not closed.
    #[error("unexpected end of statement while looking for matching {0}-quote")]
    Quote(&'static str),
    /// Shell expansions beyond `${NAME}`, `${NAME:-word}` and `${NAME:+word}`.
    #[error("unsupported modifier in substitution: ${{{0}}}")]
    Modifier(String),
    /// "${" without "}".
    #[error("syntax error: missing '}}'")]
    Brace,
}

/// Splits at spaces outside of quotes, then takes quotes away and replaces variables.
pub(super) fn words(line: &str, variables: Variables<'_>) -> Result<Vec<String>, WordError> {
    read(line, variables, true)
}

/// The same without splitting.
pub(super) fn expand(line: &str, variables: Variables<'_>) -> Result<String, WordError> {
    Ok(read(line, variables, false)?.pop().unwrap_or_default())
}

fn read(line: &str, variables: Variables<'_>, split: bool) -> Result<Vec<String>, WordError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            c if c.is_whitespace() && split && !quoted => words.extend(word.take()),
            '\'' if !quoted => {
                let (inside, after) = rest.split_once('\'').ok_or(WordError::Quote("single"))?;
                word.get_or_insert_default().push_str(inside);
                rest = after;
            }
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => {
                let word = word.get_or_insert_default();
                match rest.chars().next() {
                    // In double quotes a backslash is one unless it protects.
                    Some(next) if quoted && !matches!(next, '"' | '$' | '\\') => word.push('\\'),
                    Some(next) => {
                        word.push(next);
                        rest = &rest[next.len_utf8()..];
                    }
                    None => word.push('\\'),
                }
            }
            '$' => {
                let (value, after) = variable(rest, variables)?;
                word.get_or_insert_default().push_str(&value);
                rest = after;
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return Err(WordError::Quote("double"));
    }
    words.extend(word);
    Ok(words)
}

/// The value of the variable at the start of `rest`, after its "$", and what comes after it.
fn variable<'a>(rest: &'a str, variables: Variables<'_>) -> Result<(String, &'a str), WordError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let value = |name: &str| variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    if let Some(inside) = rest.strip_prefix('{') {
        let (inside, after) = inside.split_once('}').ok_or(WordError::Brace)?;
        let end = inside.find(|c| !is_name(c)).unwrap_or(inside.len());
        let (name, modifier) = inside.split_at(end);
        let value = value(name).filter(|value| !value.is_empty());
        let result = match (modifier.get(..2), modifier.get(2..)) {
            _ if modifier.is_empty() && !name.is_empty() => value.unwrap_or_default(),
            (Some(":-"), Some(word)) => value.unwrap_or_else(|| word.to_owned()),
            (Some(":+"), Some(word)) => value.map(|_| word.to_owned()).unwrap_or_default(),
            _ => return Err(WordError::Modifier(inside.to_owned())),
        };
        return Ok((result, after));
    }
    let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    if name.is_empty() {
        return Ok(("$".to_owned(), rest));
    }
    Ok((value(name).unwrap_or_default(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_variables() {
        let variables = [("A".to_owned(), "1 2".to_owned()), ("E".to_owned(), String::new())];
        for (line, expected) in [
            ("a b  c", vec!["a", "b", "c"]),
            ("a\\ b c", vec!["a b", "c"]),
            ("x=\"a b\" 'c d'", vec!["x=a b", "c d"]),
            ("\"\"", vec![""]),
            ("$A", vec!["1 2"]),
            ("'$A' \\$A \"$A\"", vec!["$A", "$A", "1 2"]),
            ("${A}x ${B:-d} ${A:+e} ${E:-f}", vec!["1 2x", "d", "e", "f"]),
            ("\"a\\nb\"", vec!["a\\nb"]),
            ("$ $1", vec!["$", ""]),
        ] {
            assert_eq!(words(line, &variables).unwrap(), expected, "{line}");
        }
        assert_eq!(expand("a  $A b", &variables).unwrap(), "a  1 2 b");
        assert_eq!(words("'a", &[]), Err(WordError::Quote("single")));
        assert_eq!(words("${A", &[]), Err(WordError::Brace));
        assert_eq!(words("${A%x}", &[]), Err(WordError::Modifier("A%x".to_owned())));
    }
}
