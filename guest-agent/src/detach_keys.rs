//! Keys typed at a terminal by which a client lets go of it, as dockerd reads them: they are looked for in what is typed and
//! kept from the program. What turns out to be only their beginning is passed on with what follows.

/// dockerd's: ctrl-p, ctrl-q.
const DEFAULT: [u8; 2] = [16, 17];

/// What was found in a piece of input.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// For the program. The beginning of the keys may be held back.
    Input(Vec<u8>),
    /// For the program; and then the keys.
    LetGo(Vec<u8>),
}

/// Looks for the keys in a stream of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys {
    keys: Vec<u8>,
    /// How many of them were just typed.
    typed: usize,
}

impl DetachKeys {
    /// Reads docker's way of writing keys: "ctrl-p,ctrl-q", "a,b", "ctrl-@"; the default when empty. `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let keys = if text.is_empty() { DEFAULT.to_vec() } else { text.split(',').map(key).collect::<Option<_>>()? };
        Some(Self { keys, typed: 0 })
    }

    /// Takes a piece of input.
    pub fn find(&mut self, input: &[u8]) -> Typed {
        let mut passed = Vec::with_capacity(input.len());
        for byte in input {
            if *byte == self.keys[self.typed] {
                self.typed += 1;
                if self.typed == self.keys.len() {
                    self.typed = 0;
                    return Typed::LetGo(passed);
                }
                continue;
            }
            passed.extend_from_slice(&self.keys[..std::mem::take(&mut self.typed)]);
            // It may begin the keys anew.
            if *byte == self.keys[0] {
                self.typed = 1;
            } else {
                passed.push(*byte);
            }
        }
        Typed::Input(passed)
    }
}

fn key(text: &str) -> Option<u8> {
    let control = text.get(..5).filter(|start| start.eq_ignore_ascii_case("ctrl-")).map(|_| &text[5..]);
    match (control.unwrap_or(text).as_bytes(), control.is_some()) {
        ([letter], true) => match letter.to_ascii_uppercase() {
            upper @ b'@'..=b'_' => Some(upper - b'@'),
            _ => None,
        },
        ([byte], false) => Some(*byte),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str, pieces: &[&str]) -> (String, bool) {
        let mut keys = DetachKeys::parse(keys).unwrap();
        let mut all = Vec::new();
        for piece in pieces {
            match keys.find(piece.as_bytes()) {
                Typed::Input(input) => all.extend(input),
                Typed::LetGo(input) => {
                    all.extend(input);
                    return (String::from_utf8(all).unwrap(), true);
                }
            }
        }
        (String::from_utf8(all).unwrap(), false)
    }

    #[test]
    fn the_keys_end_the_input_wherever_it_is_cut() {
        assert_eq!(typed("", &["ls\n\x10\x11rest"]), ("ls\n".into(), true));
        assert_eq!(typed("", &["ls\n\x10", "\x11"]), ("ls\n".into(), true));
        assert_eq!(typed("a,b,c", &["xa", "b", "cy"]), ("x".into(), true));
    }

    #[test]
    fn only_their_beginning_reaches_the_program_late_but_whole() {
        assert_eq!(typed("", &["\x10", "x"]), ("\x10x".into(), false));
        assert_eq!(typed("", &["\x10"]), (String::new(), false));
        assert_eq!(typed("a,b,c", &["ab", "abc"]), ("ab".into(), true));
    }

    #[test]
    fn keys_are_read_as_docker_writes_them() {
        let keys = |text| DetachKeys::parse(text).map(|keys| keys.keys);
        assert_eq!(keys(""), Some(vec![16, 17]));
        assert_eq!(keys("ctrl-a,b"), Some(vec![1, b'b']));
        assert_eq!(keys("ctrl-@,ctrl-[,ctrl-_"), Some(vec![0, 27, 31]));
        for nonsense in ["ctrl-", "ctrl-1", "ab", "a,,b", "ctrl-pp", "ä"] {
            assert_eq!(keys(nonsense), None, "{nonsense}");
        }
    }
}
