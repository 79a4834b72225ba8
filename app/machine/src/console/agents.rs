//! What PID 1 says of agents that do not stay.

use crate::guest::{AGENT_ENDED, AGENT_READY, AGENT_SETTLED, CONSOLE_PREFIX, FATAL};

/// How many ends in a row are no accident any more.
const MANY: u32 = 3;

/// An agent that ends again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restless {
    /// How often in a row.
    pub ends: u32,
    /// What the last one said last; empty if it said nothing.
    pub last_words: String,
}

/// Whether the end of a console shows that the agent ends again and again, and that none has stayed since.
#[must_use]
pub fn restless(console: &str) -> Option<Restless> {
    let mut lines = console.lines().rev();
    let told = lines.by_ref().find(|line| line.contains(AGENT_ENDED) || line.contains(AGENT_SETTLED))?;
    let ends: u32 = told.split_once(AGENT_ENDED)?.1.split_whitespace().next()?.parse().ok()?;
    (ends >= MANY).then(|| Restless { ends, last_words: lines.next().map(words).unwrap_or_default() })
}

/// A line without what marks it; nothing if it is what PID 1 says of the agent.
fn words(line: &str) -> String {
    if [AGENT_READY, AGENT_ENDED].iter().any(|mark| line.contains(mark)) {
        return String::new();
    }
    let unmarked = [FATAL, CONSOLE_PREFIX].iter().find_map(|mark| Some(line.split_once(mark)?.1));
    unmarked.unwrap_or(line).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(lines: &[&str]) -> String {
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    #[test]
    fn an_agent_that_ends_again_and_again_is_told_with_its_last_words() {
        let twice = ["cove-guest: agent ready", "cove-guest: agent ended: 2 in a row, the next one starts in 200 ms"];
        assert_eq!(restless(&console(&twice)), None);
        let third = "cove-guest: agent ended: 3 in a row, the next one starts in 400 ms";
        let of = |words: &str| restless(&console(&[&twice[..], &[words, third, "[ 9.1] the kernel"]].concat()));
        let told = |words: &str| Some(Restless { ends: 3, last_words: words.to_owned() });
        assert_eq!(of("thread 'main' panicked"), told("thread 'main' panicked"));
        assert_eq!(of("cove-guest: fatal: the database is damaged"), told("the database is damaged"));
        assert_eq!(of("cove-guest: cannot open the database"), told("cannot open the database"));
        assert_eq!(of("cove-guest: agent ready"), told(""));
    }

    #[test]
    fn one_that_stays_is_no_news() {
        let ended = "cove-guest: agent ended: 9 in a row, the next one starts in 5000 ms";
        assert_eq!(restless(&console(&[ended, "cove-guest: agent ready", "cove-guest: agent settled"])), None);
        assert_eq!(restless("cove-guest: agent ended: many"), None);
        assert_eq!(restless(""), None);
    }
}
