//! `cove doctor`: what this computer has and lacks.

use cove_proto::v1::{CheckHostRequest, HostCheck, HostCheckVerdict};
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format, Paint},
};

#[derive(Serialize)]
struct Check<'a> {
    name: &'a str,
    verdict: &'static str,
    finding: &'a str,
    fix: &'a str,
}

/// Prints every check. Exit code 1 if one says that the machine cannot start.
pub(crate) async fn run(format: Format) -> Outcome {
    let checks = Engine::reach().await?.machine().check_host(CheckHostRequest {}).await?.into_inner().checks;
    match format {
        Format::Json => output::json(&checks.iter().map(as_json).collect::<Vec<_>>())?,
        Format::Text => output::text(&text(&checks, Paint::of_stdout()))?,
    }
    Ok(u8::from(checks.iter().any(|check| check.verdict() == HostCheckVerdict::Problem)))
}

fn as_json(check: &HostCheck) -> Check<'_> {
    Check { name: &check.name, verdict: word(check.verdict()), finding: &check.finding, fix: &check.fix }
}

fn word(verdict: HostCheckVerdict) -> &'static str {
    match verdict {
        HostCheckVerdict::Unspecified => "unknown",
        HostCheckVerdict::Ok => "ok",
        HostCheckVerdict::Warning => "warning",
        HostCheckVerdict::Problem => "problem",
    }
}

fn text(checks: &[HostCheck], paint: Paint) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let mark = match check.verdict() {
            HostCheckVerdict::Ok => paint.good("✓ ok     "),
            HostCheckVerdict::Warning => paint.warning("! warning"),
            HostCheckVerdict::Problem => paint.bad("✗ problem"),
            HostCheckVerdict::Unspecified => "? unknown".to_owned(),
        };
        text.push_str(&format!("  {mark}  {:width$}  {}\n", check.name, check.finding));
        if !check.fix.is_empty() {
            text.push_str(&format!("             {:width$}  {}\n", "", paint.strong(&format!("→ {}", check.fix))));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_way_out_below_it() {
        let check = |verdict: HostCheckVerdict, fix: &str| HostCheck {
            name: "qemu".into(),
            verdict: verdict.into(),
            finding: "QEMU is not there".into(),
            fix: fix.into(),
        };
        let text = text(
            &[check(HostCheckVerdict::Problem, "apt install it"), check(HostCheckVerdict::Ok, "")],
            Paint::plain(),
        );
        assert_eq!(
            text,
            "  ✗ problem  qemu  QEMU is not there\n                   → apt install it\n  ✓ ok       qemu  QEMU is not there\n"
        );
    }
}
