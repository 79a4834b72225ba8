//! How far a layer is, as a line of a progress stream: moby's `jsonmessage`.

use cove_proto::v1::{LayerPhase, LayerProgress};
use serde_json::{Value, json};

/// Digits of a layer's digest in a line.
const DIGITS: usize = 12;
/// Characters of a bar.
const BAR: u64 = 50;

/// The line of a layer; `None` for what docker has no word for.
pub(crate) fn layer(layer: &LayerProgress) -> Option<Value> {
    let id: String = layer.layer.trim_start_matches("sha256:").chars().take(DIGITS).collect();
    if layer.retry_seconds > 0 {
        let seconds = if layer.retry_seconds == 1 { "second" } else { "seconds" };
        return Some(word(&format!("Retrying in {} {seconds}", layer.retry_seconds), &id));
    }
    let counted = |status| counted(status, &id, layer.current_bytes, layer.total_bytes);
    Some(match layer.phase() {
        LayerPhase::Unspecified => return None,
        // dockerd has two words for it: what is here, and what is there.
        LayerPhase::Exists => word("Already exists", &id),
        LayerPhase::Pending => word("Pulling fs layer", &id),
        LayerPhase::Waiting => word("Waiting", &id),
        LayerPhase::Downloading if layer.current_bytes == 0 => return None,
        LayerPhase::Downloading => counted("Downloading"),
        LayerPhase::Verifying => word("Verifying Checksum", &id),
        LayerPhase::Downloaded => word("Download complete", &id),
        LayerPhase::Extracting => counted("Extracting"),
        LayerPhase::Pulled => word("Pull complete", &id),
        LayerPhase::Preparing => word("Preparing", &id),
        LayerPhase::Pushing if layer.current_bytes == 0 => return None,
        LayerPhase::Pushing => counted("Pushing"),
        LayerPhase::Mounted => word(&format!("Mounted from {}", layer.mounted_from), &id),
        LayerPhase::Pushed => word("Pushed", &id),
    })
}

fn word(status: &str, id: &str) -> Value {
    json!({"status": status, "progressDetail": {}, "id": id})
}

fn counted(status: &str, id: &str, current: u64, total: u64) -> Value {
    let mut detail = json!({"current": current});
    if total > 0 {
        detail["total"] = json!(total);
    }
    json!({"status": status, "progressDetail": detail, "progress": bar(current, total), "id": id})
}

/// moby's `JSONProgress.String` for a terminal of 200 columns.
fn bar(current: u64, total: u64) -> String {
    if total == 0 {
        return format!("{:>8}", size(current));
    }
    let done = (current.saturating_mul(100) / total / 2).min(BAR);
    let width = |characters| usize::try_from(characters).unwrap_or_default();
    let bar = format!("[{}>{}] ", "=".repeat(width(done)), " ".repeat(width(BAR - done)));
    if current > total {
        return format!("{bar}{:>8}", size(current));
    }
    format!("{bar}{:>8}/{}", size(current), size(total))
}

/// go-units' `HumanSize`: four digits that count.
fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    let places = match value {
        value if value < 10.0 => 3,
        value if value < 100.0 => 2,
        value if value < 1000.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.places$}");
    let text = if places > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(phase: LayerPhase, current_bytes: u64, total_bytes: u64) -> String {
        let layer_name = "sha256:0c7454c9350d7a3b".to_owned();
        let progress =
            LayerProgress { layer: layer_name, phase: phase.into(), current_bytes, total_bytes, ..Default::default() };
        layer(&progress).map(|line| line.to_string()).unwrap_or_default()
    }

    #[test]
    fn lines_are_those_that_dockerd_sent() {
        assert_eq!(
            line(LayerPhase::Pending, 0, 52_248_156),
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"0c7454c9350d"}"#
        );
        assert_eq!(
            line(LayerPhase::Downloading, 552_960, 52_248_156),
            r#"{"status":"Downloading","progressDetail":{"current":552960,"total":52248156},"progress":"[>                                                  ]    553kB/52.25MB","id":"0c7454c9350d"}"#
        );
        assert_eq!(
            line(LayerPhase::Downloading, 51_878_614, 52_248_156),
            r#"{"status":"Downloading","progressDetail":{"current":51878614,"total":52248156},"progress":"[=================================================> ]  51.88MB/52.25MB","id":"0c7454c9350d"}"#
        );
        assert_eq!(
            line(LayerPhase::Extracting, 15_204_352, 52_248_156),
            r#"{"status":"Extracting","progressDetail":{"current":15204352,"total":52248156},"progress":"[==============>                                    ]   15.2MB/52.25MB","id":"0c7454c9350d"}"#
        );
        assert_eq!(line(LayerPhase::Downloading, 0, 10), "", "nothing has come yet");
    }

    #[test]
    fn a_wait_and_an_unknown_length_are_said() {
        let waiting = LayerProgress { layer: "sha256:ab".into(), retry_seconds: 5, ..Default::default() };
        assert_eq!(layer(&waiting).unwrap()["status"], "Retrying in 5 seconds");
        assert_eq!(bar(1_234_000, 0), " 1.234MB");
        assert_eq!(
            [0, 999, 1000, 1_048_576, 999_950].map(size),
            ["0B", "999B", "1kB", "1.049MB", "1000kB"].map(String::from)
        );
    }
}
