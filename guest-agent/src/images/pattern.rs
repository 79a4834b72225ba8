//! Go's `path.Match`, which the `reference` filter is defined by: `*` and `?` stop at a slash, `[a-z]` and `[^a]` are
//! classes, a backslash takes the next character literally.

/// Whether all of `text` fits `pattern`. `None`: the pattern is malformed.
pub(super) fn matches(pattern: &str, text: &str) -> Option<bool> {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    check(&pattern)?;
    Some(fits(&pattern, &text))
}

/// Walks both at once; on a mismatch the last star takes one character more.
fn fits(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        if p == pattern.len() && t == text.len() {
            return true;
        }
        if let Some(next) = text.get(t).and_then(|c| one(&pattern[p..], *c)) {
            p += next;
            t += 1;
            continue;
        }
        match star {
            Some((at, taken)) if text.get(taken).is_some_and(|c| *c != '/') => {
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
            _ => return false,
        }
    }
}

/// How much of the pattern `c` fits.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => (c != '/').then_some(1),
        ['[', rest @ ..] => {
            let (class, length) = class(rest)?;
            (class.has(c) && c != '/').then_some(length + 1)
        }
        ['\\', literal, ..] => (*literal == c).then_some(2),
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn has(&self, c: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != self.negated
    }
}

/// A class after its "[", and its length with the "]".
fn class(pattern: &[char]) -> Option<(Class, usize)> {
    let negated = pattern.first() == Some(&'^');
    let mut at = usize::from(negated);
    let mut ranges = Vec::new();
    while pattern.get(at) != Some(&']') || ranges.is_empty() {
        let low = member(pattern, &mut at)?;
        let high = if pattern.get(at) == Some(&'-') {
            at += 1;
            member(pattern, &mut at)?
        } else {
            low
        };
        ranges.push((low, high));
    }
    Some((Class { negated, ranges }, at + 1))
}

fn member(pattern: &[char], at: &mut usize) -> Option<char> {
    let escaped = pattern.get(*at) == Some(&'\\');
    *at += usize::from(escaped);
    let c = *pattern.get(*at)?;
    if !escaped && matches!(c, '-' | ']') {
        return None;
    }
    *at += 1;
    Some(c)
}

/// Whether the pattern is well formed.
fn check(mut pattern: &[char]) -> Option<()> {
    while let Some(first) = pattern.first() {
        let length = match first {
            '[' => class(&pattern[1..])?.1 + 1,
            '\\' => 2,
            _ => 1,
        };
        pattern = pattern.get(length..)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn it_is_gos_path_match() {
        for (pattern, text, expected) in [
            ("abc", "abc", Some(true)),
            ("*", "abc", Some(true)),
            ("*c", "abc", Some(true)),
            ("a*", "a/b", Some(false)),
            ("a*/b", "a/c/b", Some(false)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Some(true)),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", Some(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Some(true)),
            ("a*b?c*x", "abxbbxdbxebxczzy", Some(false)),
            ("ab[c]", "abc", Some(true)),
            ("ab[b-d]", "abc", Some(true)),
            ("ab[e-g]", "abc", Some(false)),
            ("ab[^c]", "abc", Some(false)),
            ("ab[^e-g]", "abc", Some(true)),
            ("a\\*b", "a*b", Some(true)),
            ("a\\*b", "ab", Some(false)),
            ("a?b", "a/b", Some(false)),
            ("a[^a]b", "a/b", Some(false)),
            ("[]a]", "]", None),
            ("[-]", "-", None),
            ("[x-]", "x", None),
            ("[\\-x]", "-", Some(true)),
            ("[", "a", None),
            ("[^", "a", None),
            ("a[", "ab", None),
            ("\\", "a", None),
            ("", "", Some(true)),
            ("busybox:*", "busybox:latest", Some(true)),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
