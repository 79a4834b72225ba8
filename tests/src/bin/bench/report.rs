//! The numbers for people: a table in Markdown.

use std::fmt::Write as _;

use crate::measure::{Figures, Row};

/// The whole report.
pub(crate) fn render(figures: &Figures) -> String {
    let peer = &figures.peer_version;
    let mut text = format!(
        "| | Cove p50 | p99 | dockerd {peer} p50 | p99 | ratio of p50 | of p99 | n |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    );
    for row in &figures.rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line(row));
    }
    text
}

/// One line of it.
pub(crate) fn line(row: &Row) -> String {
    format!("| {} | {} | {} |", row.name, cells(row).join(" | "), row.cove.len())
}

fn cells(row: &Row) -> [String; 6] {
    let [cove, peer] = [&row.cove, &row.peer].map(|figures| Quantiles::of(figures));
    let number = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.1}"));
    let ratio = |cove: Option<f64>, peer: Option<f64>| match (cove, peer) {
        (Some(cove), Some(peer)) if cove > 0.0 => format!("1/{:.1}", peer / cove),
        _ => "-".to_owned(),
    };
    [
        number(cove.p50),
        number(cove.p99),
        number(peer.p50),
        number(peer.p99),
        ratio(cove.p50, peer.p50),
        ratio(cove.p99, peer.p99),
    ]
}

/// By the nearest rank; of a single figure there is no p99.
struct Quantiles {
    p50: Option<f64>,
    p99: Option<f64>,
}

impl Quantiles {
    fn of(figures: &[f64]) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Self { p50: rank(50), p99: rank(99).filter(|_| sorted.len() > 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_quantiles_and_their_ratio() {
        let row = |name: &str, cove: &[f64], peer: &[f64]| Row {
            name: name.to_owned(),
            cove: cove.to_vec(),
            peer: peer.to_vec(),
        };
        let rows = vec![
            row("first boot, s", &[3.0], &[]),
            row("boot, s", &[2.0], &[16.0]),
            row("start, ms", &[10.0, 40.0, 20.0], &[200.0, 1.0, 600.0]),
        ];
        let text = render(&Figures { peer_version: "26.1".into(), rows });
        let line = |name: &str| text.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
        assert_eq!(line("first boot, s"), "| first boot, s | 3.0 | - | - | - | - | - | 1 |");
        assert_eq!(line("boot, s"), "| boot, s | 2.0 | - | 16.0 | - | 1/8.0 | - | 1 |");
        assert_eq!(line("start, ms"), "| start, ms | 20.0 | 40.0 | 200.0 | 600.0 | 1/10.0 | 1/15.0 | 3 |");
    }

    #[test]
    fn a_quantile_is_a_figure_that_was_measured() {
        let many: Vec<f64> = (1..=200).map(f64::from).collect();
        let quantiles = Quantiles::of(&many);
        assert_eq!((quantiles.p50, quantiles.p99), (Some(100.0), Some(198.0)));
        assert_eq!(Quantiles::of(&[]).p50, None);
    }
}
