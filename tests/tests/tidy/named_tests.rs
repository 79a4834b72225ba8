//! Documents that name tests: the tests are there, and what should name one does.

use std::{collections::BTreeSet, fs};

use crate::{none, root, rust_files};

const DOCUMENTS: [&str; 4] = ["docs/docker-flags.md", "docs/faults.md", "docs/security.md", "docs/soak.md"];

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// What stands between backticks and is the name of a test.
pub(crate) fn tests_in(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).filter(|word| word.contains("::") && *word != "module::name").collect()
}

#[test]
fn the_tests_that_are_named_are_there() {
    let sources = rust_files();
    let is_there = |test: &str| {
        let mut parts = test.rsplit("::");
        let function = format!("fn {}(", parts.next().unwrap_or_default());
        let module = parts.find(|part| *part != "tests").unwrap_or_default().to_owned();
        sources.iter().any(|(path, text)| {
            let of_module = path.ends_with(&format!("/{module}.rs")) || path.contains(&format!("/{module}/"));
            of_module && text.contains(&function)
        })
    };
    let mut missing = BTreeSet::new();
    for path in DOCUMENTS {
        let text = document(path);
        missing
            .extend(tests_in(&text).into_iter().filter(|test| !is_there(test)).map(|test| format!("{path}: {test}")));
    }
    none(&missing.into_iter().collect::<Vec<_>>(), "these tests are named and are nowhere:");
}

#[test]
fn no_fault_is_without_a_test_or_a_reason() {
    let text = document("docs/faults.md");
    let rows: Vec<Vec<&str>> =
        text.lines().filter(|line| line.starts_with("| F-")).map(|line| line.split(" | ").collect()).collect();
    assert_eq!(rows.len(), 35, "a row for each fault");
    let empty: Vec<String> = rows
        .iter()
        .filter(|cells| cells.len() != 3 || cells[2].trim_matches(['|', ' ']).is_empty())
        .map(|cells| cells.join(" | "))
        .collect();
    none(&empty, "what covers a fault, or why nothing does:");
}

#[test]
fn every_sentence_on_security_names_its_test() {
    let text = document("docs/security.md");
    let said: Vec<String> = text
        .split("\n* ")
        .skip(1)
        .filter_map(|item| item.split("\n\n").next())
        .filter(|item| tests_in(item).is_empty())
        .map(|item| item.lines().next().unwrap_or_default().to_owned())
        .collect();
    none(&said, "what a container can and cannot do is shown by a test:");
}
