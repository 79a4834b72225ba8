//! The icons, drawn in `icons/tray`.

use tauri::{image::Image, include_image};

/// What an icon stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing runs.
    Stopped,
    /// On the way up: prepare, monitor, kernel, agent.
    Starting(Step),
    /// It runs.
    Running,
    /// Something is to be done.
    Failed,
}

/// How far a start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Prepare,
    Vmm,
    Kernel,
    Agent,
}

/// The icon: black on macOS, which colours it; white elsewhere, where bars are mostly dark.
pub(super) fn of(kind: Kind) -> Image<'static> {
    let [black, white] = match kind {
        Kind::Stopped => {
            [include_image!("icons/tray/stopped-black.png"), include_image!("icons/tray/stopped-white.png")]
        }
        Kind::Starting(Step::Prepare) => {
            [include_image!("icons/tray/starting-1-black.png"), include_image!("icons/tray/starting-1-white.png")]
        }
        Kind::Starting(Step::Vmm) => {
            [include_image!("icons/tray/starting-2-black.png"), include_image!("icons/tray/starting-2-white.png")]
        }
        Kind::Starting(Step::Kernel) => {
            [include_image!("icons/tray/starting-3-black.png"), include_image!("icons/tray/starting-3-white.png")]
        }
        Kind::Starting(Step::Agent) => {
            [include_image!("icons/tray/starting-4-black.png"), include_image!("icons/tray/starting-4-white.png")]
        }
        Kind::Running => {
            [include_image!("icons/tray/running-black.png"), include_image!("icons/tray/running-white.png")]
        }
        Kind::Failed => [include_image!("icons/tray/failed-black.png"), include_image!("icons/tray/failed-white.png")],
    };
    if std::env::consts::OS == "macos" { black } else { white }
}
