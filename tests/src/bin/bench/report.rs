//! The numbers for people.

use std::{fmt::Write as _, time::Duration};

use crate::{
    docker::Lap,
    images::Transfers,
    measure::{Figures, Laps},
};

/// A part of a lap.
type Part = fn(&Lap) -> Duration;

/// The whole report.
pub(crate) fn render(figures: &Figures) -> String {
    let mut text = String::new();
    let peer = format!("dockerd {}", figures.peer_version);
    row(&mut text, "", "Cove", &peer, "ratio");
    let first = format!("{:.1}", figures.cove_first_boot.as_secs_f64());
    row(&mut text, "first boot, with a new data disk, s", &first, "-", "-");
    let boot = [figures.cove_boot, figures.peer_boot].map(|boot| boot.as_secs_f64());
    numbers(&mut text, "boot to first answer, s", boot);
    for laps in &figures.networks {
        of_network(&mut text, laps);
    }
    of_images(&mut text, &figures.transfers);
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let engine = format!("engine with {} containers, MiB", figures.sleepers);
    numbers(&mut text, &engine, [mebibytes(figures.agent), mebibytes(figures.peer_engine)]);
    row(&mut text, "coved on the host, MiB", &format!("{:.1}", mebibytes(figures.daemon)), "-", "-");
    text
}

fn of_images(text: &mut String, transfers: &Transfers) {
    let size = transfers.mebibytes;
    for (name, times) in [("pull", transfers.pull), ("load", transfers.load)] {
        numbers(text, &format!("{name} of {size} MiB, s"), times.map(|time| time.as_secs_f64()));
    }
    numbers(text, "pull of what is there, ms", transfers.pull_again.map(|time| time.as_secs_f64() * 1e3));
    let tools = transfers.tools.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64()));
    row(text, "skopeo and umoci, on the host, s", &tools, "-", "-");
}

fn of_network(text: &mut String, laps: &Laps) {
    let parts = [
        ("create", (|lap| lap.create) as Part),
        ("start", |lap| lap.start),
        ("wait", |lap| lap.wait),
        ("create to exit", Lap::total),
    ];
    for (name, part) in parts {
        let medians = [&laps.cove, &laps.peer].map(|laps| median(laps.iter().map(part)).as_secs_f64() * 1e3);
        numbers(text, &format!("network {}: {name}, ms", laps.network), medians);
    }
}

fn numbers(text: &mut String, name: &str, [cove, peer]: [f64; 2]) {
    let ratio = if cove > 0.0 { format!("1/{:.1}", peer / cove) } else { "-".to_owned() };
    row(text, name, &format!("{cove:.1}"), &format!("{peer:.1}"), &ratio);
}

fn row(text: &mut String, name: &str, cove: &str, peer: &str, ratio: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{name:<36}{cove:>10}{peer:>24}{ratio:>9}");
}

fn median(values: impl Iterator<Item = Duration>) -> Duration {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_medians_and_their_ratio() {
        let lap = |millis| Lap { create: Duration::ZERO, start: Duration::from_millis(millis), wait: Duration::ZERO };
        let figures = Figures {
            peer_version: "26.1".into(),
            cove_first_boot: Duration::from_secs(3),
            cove_boot: Duration::from_secs(2),
            peer_boot: Duration::from_secs(16),
            networks: vec![Laps {
                network: "none",
                cove: [10, 1000, 20].map(lap).to_vec(),
                peer: [200, 1, 300].map(lap).to_vec(),
            }],
            transfers: Transfers {
                mebibytes: 500,
                pull: [4, 8].map(Duration::from_secs),
                pull_again: [10, 50].map(Duration::from_millis),
                load: [3, 9].map(Duration::from_secs),
                tools: None,
            },
            sleepers: 10,
            agent: 15 << 20,
            daemon: 20 << 20,
            peer_engine: 300 << 20,
        };
        let text = render(&figures);
        let words = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words("first boot, with a new data disk, s"), ["3.0", "-", "-"]);
        assert_eq!(words("boot to first answer, s"), ["2.0", "16.0", "1/8.0"]);
        assert_eq!(words("network none: create to exit, ms"), ["20.0", "200.0", "1/10.0"]);
        assert_eq!(words("pull of 500 MiB, s"), ["4.0", "8.0", "1/2.0"]);
        assert_eq!(words("pull of what is there, ms"), ["10.0", "50.0", "1/5.0"]);
        assert_eq!(words("engine with 10 containers, MiB"), ["15.0", "300.0", "1/20.0"]);
    }
}
