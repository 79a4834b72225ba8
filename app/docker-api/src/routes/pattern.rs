//! Patterns of paths: `{}` stands for one segment, `{*}` for one or more (image names have slashes).

/// What the pattern's places stand for in a path, if it fits.
pub(super) fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
    let pattern: Vec<_> = pattern.split('/').collect();
    let path: Vec<_> = path.split('/').collect();
    let mut places = Vec::new();
    fits(&pattern, &path, &mut places).then_some(places)
}

fn fits(pattern: &[&str], path: &[&str], places: &mut Vec<String>) -> bool {
    let Some((first, pattern_rest)) = pattern.split_first() else { return path.is_empty() };
    match *first {
        "{}" => match path.split_first() {
            Some((segment, rest)) if !segment.is_empty() => {
                places.push((*segment).to_owned());
                fits(pattern_rest, rest, places)
            }
            _ => false,
        },
        // What follows is literal and of known length, so the place takes all before it.
        "{*}" => match path.len().checked_sub(pattern_rest.len()) {
            Some(taken @ 1..) if !path[0].is_empty() => {
                places.push(path[..taken].join("/"));
                fits(pattern_rest, &path[taken..], places)
            }
            _ => false,
        },
        literal => {
            path.split_first().is_some_and(|(segment, rest)| *segment == literal && fits(pattern_rest, rest, places))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_take_segments() {
        let places = |pattern, path| matched(pattern, path).map(|places| places.join(" "));
        assert_eq!(places("/info", "/info").as_deref(), Some(""));
        assert_eq!(places("/containers/{}/json", "/containers/a/json").as_deref(), Some("a"));
        assert_eq!(places("/containers/{}/json", "/containers//json"), None);
        assert_eq!(places("/containers/{}", "/containers/a/b"), None);
        assert_eq!(places("/images/{*}", "/images/a/b:1").as_deref(), Some("a/b:1"));
        assert_eq!(places("/images/{*}/json", "/images/a/json").as_deref(), Some("a"));
        assert_eq!(places("/images/{*}/json", "/images/json"), None);
        assert_eq!(places("/images/{*}/json", "/images/json/json").as_deref(), Some("json"));
        assert_eq!(places("/images/{*}", "/images/"), None);
    }
}
