//! `cove doctor`: what this computer has and lacks; with `--store`, whether the images on the data disk are whole.

use clap::Args;
use cove_proto::v1::{CheckHostRequest, CheckStoreRequest, CheckStoreResponse, HostCheck, HostCheckVerdict};
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

/// `cove doctor`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Check the images on the data disk instead: whether their record and their files agree.
    #[arg(long)]
    store: bool,
    /// Also read every layer and compare it with its digest.
    #[arg(long, requires = "store")]
    content: bool,
}

/// Prints every check. Exit code 1 if one found a problem.
pub(crate) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    if arguments.store { store(arguments.content, format).await } else { host(format).await }
}

async fn store(content: bool, format: Format) -> Outcome {
    let found = Engine::reach().await?.images().check_store(CheckStoreRequest { content }).await?.into_inner();
    match format {
        Format::Json => output::json(&serde_json::json!({
            "images": found.images, "layers": found.layers, "problems": found.problems,
        }))?,
        Format::Text => output::text(&store_text(&found, Paint::of_stdout()))?,
    }
    Ok(u8::from(!found.problems.is_empty()))
}

fn store_text(found: &CheckStoreResponse, paint: Paint) -> String {
    let CheckStoreResponse { problems, images, layers } = found;
    if problems.is_empty() {
        return format!(
            "  {}  {images} images, {layers} layers: all is there and all is needed\n",
            paint.good("✓ ok     ")
        );
    }
    problems.iter().map(|problem| format!("  {}  {problem}\n", paint.bad("✗ problem"))).collect()
}

async fn host(format: Format) -> Outcome {
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
    fn every_problem_of_the_store_has_a_line() {
        let found = |problems: &[&str]| CheckStoreResponse {
            problems: problems.iter().map(ToString::to_string).collect(),
            images: 2,
            layers: 3,
        };
        let all_is_well = "  ✓ ok       2 images, 3 layers: all is there and all is needed\n";
        assert_eq!(store_text(&found(&[]), Paint::plain()), all_is_well);
        assert_eq!(store_text(&found(&["a", "b"]), Paint::plain()), "  ✗ problem  a\n  ✗ problem  b\n");
    }

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
