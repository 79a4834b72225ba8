//! Layers on their way, before the user's eyes: a line for each that is drawn anew on a terminal, and elsewhere a line for
//! each step.

use std::io::{IsTerminal as _, Write as _};

use cove_proto::v1::{LayerPhase, LayerProgress};

use crate::output::{self, Paint, bytes, short_id};

/// Characters of a bar.
const BAR: u64 = 24;

/// The lines.
pub(super) struct Transfer {
    mode: Mode,
    paint: Paint,
    layers: Vec<LayerProgress>,
    /// Lines that are on the terminal and may be drawn over.
    drawn: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Silent,
    Plain,
    Live,
}

impl Transfer {
    pub(super) fn new(quiet: bool) -> Self {
        let live = std::io::stderr().is_terminal() && crate::terminal::understands_escapes();
        let mode = match (quiet, live) {
            (true, _) => Mode::Silent,
            (false, true) => Mode::Live,
            (false, false) => Mode::Plain,
        };
        Self { mode, paint: Paint::of_stderr(), layers: Vec::new(), drawn: 0 }
    }

    /// Says a line of its own.
    pub(super) fn say(&mut self, line: &str) {
        if self.mode == Mode::Silent {
            return;
        }
        // What was drawn stays as it is.
        self.drawn = 0;
        self.layers.clear();
        output::aside(line);
    }

    /// A layer is further.
    pub(super) fn layer(&mut self, layer: LayerProgress) {
        let known = self.layers.iter().position(|known| known.layer == layer.layer);
        let is_step = known.is_none_or(|at| self.layers[at].phase != layer.phase) || layer.retry_seconds > 0;
        if self.mode == Mode::Plain && is_step {
            output::aside(&line(&layer, Paint::plain()));
        }
        match known {
            Some(at) => self.layers[at] = layer,
            None => self.layers.push(layer),
        }
        if self.mode == Mode::Live {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let mut text = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        // A terminal cannot be drawn over beyond its top.
        let rows = crate::terminal::size().map_or(24, |size| size.rows as usize).saturating_sub(1);
        let hidden = self.layers.len().saturating_sub(rows);
        for layer in self.layers.iter().skip(hidden) {
            text.push_str(&format!("\x1b[K{}\n", line(layer, self.paint)));
        }
        self.drawn = self.layers.len() - hidden;
        // With standard error gone there is nobody left to tell.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// The line of a layer.
fn line(layer: &LayerProgress, paint: Paint) -> String {
    let id = short_id(&layer.layer);
    let word = match layer.phase() {
        LayerPhase::Unspecified => "",
        LayerPhase::Exists => "is there already",
        LayerPhase::Pending | LayerPhase::Preparing => "is next",
        LayerPhase::Waiting => "waits",
        LayerPhase::Downloading => "comes",
        LayerPhase::Verifying | LayerPhase::Downloaded => "has come",
        LayerPhase::Extracting => "is unpacked",
        LayerPhase::Pulled => "is there",
        LayerPhase::Pushing => "goes",
        LayerPhase::Mounted => "was there in",
        LayerPhase::Pushed => "has gone",
    };
    let mark = match layer.phase() {
        LayerPhase::Exists | LayerPhase::Pulled | LayerPhase::Mounted | LayerPhase::Pushed => paint.good("✓"),
        _ => "…".to_owned(),
    };
    let text = format!("  {mark} {}  {word}", paint.faint(&id));
    if layer.retry_seconds > 0 {
        return format!(
            "{text}: {}",
            paint.warning(&format!("the connection broke, again in {} s", layer.retry_seconds))
        );
    }
    match layer.phase() {
        LayerPhase::Mounted => format!("{text} {}", layer.mounted_from),
        LayerPhase::Downloading | LayerPhase::Extracting | LayerPhase::Pushing if layer.current_bytes > 0 => {
            format!("{text} {}", amount(layer.current_bytes, layer.total_bytes))
        }
        _ => text,
    }
}

/// "[====>    ] 1.00 MB of 4.00 MB".
fn amount(current: u64, total: u64) -> String {
    if total == 0 {
        return bytes(current);
    }
    let done = usize::try_from((current.saturating_mul(BAR) / total).min(BAR)).unwrap_or_default();
    let rest = usize::try_from(BAR).unwrap_or_default() - done;
    format!("[{}{}] {} of {}", "=".repeat(done), " ".repeat(rest), bytes(current), bytes(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(phase: LayerPhase, current_bytes: u64, total_bytes: u64, retry_seconds: u32) -> String {
        let layer = format!("sha256:{}", "ab".repeat(32));
        let mounted_from = "library/x".to_owned();
        let progress =
            LayerProgress { layer, phase: phase.into(), current_bytes, total_bytes, retry_seconds, mounted_from };
        line(&progress, Paint::plain())
    }

    #[test]
    fn a_line_says_which_layer_is_how_far() {
        assert_eq!(
            shown(LayerPhase::Downloading, 1_000_000, 4_000_000, 0),
            "  … abababababab  comes [======                  ] 1.00 MB of 4.00 MB"
        );
        assert_eq!(shown(LayerPhase::Pushing, 5_000, 0, 0), "  … abababababab  goes 5.00 kB");
        assert_eq!(shown(LayerPhase::Pulled, 0, 4, 0), "  ✓ abababababab  is there");
        assert_eq!(shown(LayerPhase::Mounted, 0, 4, 0), "  ✓ abababababab  was there in library/x");
        assert_eq!(
            shown(LayerPhase::Downloading, 1, 4, 2),
            "  … abababababab  comes: the connection broke, again in 2 s"
        );
    }
}
