//! Which tests of a client pass against dockerd, one name a line; behind a `#`, why one of them does not against Cove.

use std::{collections::BTreeMap, io::Write};

use anyhow::{Context as _, Result, ensure};

use crate::Verdicts;

/// A list of tests.
#[derive(Debug)]
pub(crate) struct Expectations<'a> {
    /// By name: why it does not pass against Cove, if so.
    tests: BTreeMap<&'a str, Option<&'a str>>,
}

impl<'a> Expectations<'a> {
    /// Reads a list.
    pub(crate) fn read(list: &'a str) -> Result<Self> {
        let mut tests = BTreeMap::new();
        for line in list.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let (name, reason) = match line.split_once('#') {
                Some((name, reason)) => (name, Some(reason.trim())),
                None => (line, None),
            };
            ensure!(reason != Some(""), "no reason given: {line}");
            ensure!(tests.insert(name.trim(), reason).is_none(), "twice in the list: {name}");
        }
        Ok(Self { tests })
    }

    /// Says what differs from the list; whether nothing does.
    pub(crate) fn report(&self, verdicts: &Verdicts, of_cove: bool, out: &mut impl Write) -> Result<bool> {
        let mut differ = 0;
        let mut tell = |what: &str, name: &str| -> Result<()> {
            differ += 1;
            writeln!(out, "{what}: {name}").context("tell what differs")
        };
        for (name, reason) in &self.tests {
            match (verdicts.get(*name), reason) {
                (None, _) => tell("did not run", name)?,
                (Some(false), None) => tell("lost", name)?,
                (Some(false), Some(_)) if !of_cove => tell("lost", name)?,
                (Some(true), Some(_)) if of_cove => tell("passes, take its reason from the list", name)?,
                _ => {}
            }
        }
        for (name, passed) in verdicts {
            if *passed && !self.tests.contains_key(name.as_str()) {
                tell("passes, add it to the list", name)?;
            }
        }
        let passed = verdicts.values().filter(|passed| **passed).count();
        let excused = self.tests.values().flatten().count();
        writeln!(
            out,
            "{passed} of {} pass; of {} that pass against dockerd {excused} are not expected to; {differ} differ",
            verdicts.len(),
            self.tests.len(),
        )?;
        Ok(differ == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# a list\na::one\na::two  # ports are not there yet\n";

    fn differs(verdicts: &[(&str, bool)], of_cove: bool) -> String {
        let verdicts = verdicts.iter().map(|(name, passed)| ((*name).to_owned(), *passed)).collect();
        let mut out = Vec::new();
        let as_expected = Expectations::read(LIST).unwrap().report(&verdicts, of_cove, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        let differ: Vec<_> = said.lines().filter(|line| !line.contains(" of ")).collect();
        assert_eq!(as_expected, differ.is_empty(), "{said}");
        differ.join("|")
    }

    #[test]
    fn what_is_as_the_list_says_is_no_difference() {
        assert_eq!(differs(&[("a::one", true), ("a::two", false), ("a::three", false)], true), "");
        assert_eq!(differs(&[("a::one", true), ("a::two", true)], false), "");
    }

    #[test]
    fn every_difference_is_told() {
        assert_eq!(
            differs(&[("a::one", false), ("a::two", true), ("a::three", true)], true),
            "lost: a::one|passes, take its reason from the list: a::two|passes, add it to the list: a::three"
        );
        assert_eq!(differs(&[("a::two", false)], false), "did not run: a::one|lost: a::two");
    }

    #[test]
    fn a_list_gives_each_test_once_and_reasons_in_words() {
        for wrong in ["a\na\n", "a #\n"] {
            assert!(Expectations::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
