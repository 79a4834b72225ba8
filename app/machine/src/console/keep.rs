//! From the guest to the log, with an eye on what the kernel says about its own end.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::Sink;
use crate::guest;

/// Something that the console shows and that a hypervisor may not tell by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The kernel panicked.
    Panic,
    /// The kernel is about to reset the machine.
    Restart,
    /// PID 1 began. The first one is the boot; another one is a machine that has been reset under the hypervisor's hands.
    Boot,
}

/// The words of each sign: the kernel's (kernel/panic.c; kernel/reboot.c, at a level that `quiet` does not silence) and
/// PID 1's.
const WORDS: [(&str, Sign); 3] = [
    ("Kernel panic - not syncing", Sign::Panic),
    ("reboot: Restarting system", Sign::Restart),
    (guest::CONSOLE_BOOT, Sign::Boot),
];

/// Writes the console to its log until the guest is gone, and tells each sign when it is seen.
pub async fn keep(mut console: impl AsyncRead + Unpin, mut sink: Sink, mut tell: impl FnMut(Sign)) {
    let mut buffer = vec![0; 16 * 1024];
    let mut watch = Watch::default();
    let mut broken = false;
    while let Ok(length @ 1..) = console.read(&mut buffer).await {
        let data = &buffer[..length];
        watch.look(data, &mut tell);
        if let Err(error) = sink.write(data)
            && !broken
        {
            // Once is enough; what the guest says goes on being read, or it would hang.
            tracing::error!(%error, "the console log cannot be written");
            broken = true;
        }
    }
}

/// Finds words in what comes in pieces.
#[derive(Debug, Default)]
struct Watch {
    /// The end of what was before, shorter than the shortest word that it could complete.
    rest: Vec<u8>,
}

impl Watch {
    fn look(&mut self, data: &[u8], tell: &mut impl FnMut(Sign)) {
        let before = self.rest.len();
        self.rest.extend_from_slice(data);
        for at in 0..self.rest.len() {
            let from_here = &self.rest[at..];
            for (word, sign) in WORDS {
                // What ended in an earlier piece has been told.
                if from_here.starts_with(word.as_bytes()) && at + word.len() > before {
                    tell(sign);
                }
            }
        }
        let longest = WORDS.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
        self.rest.drain(..self.rest.len().saturating_sub(longest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(pieces: &[&str]) -> Vec<Sign> {
        let (mut watch, mut seen) = (Watch::default(), Vec::new());
        for piece in pieces {
            watch.look(piece.as_bytes(), &mut |sign| seen.push(sign));
        }
        seen
    }

    #[test]
    fn a_sign_is_told_once_wherever_the_pieces_part() {
        let text =
            "x[    1.0] Kernel panic - not syncing: sysrq\n[    1.1] reboot: Restarting system\ncove-guest: init\n";
        for at in 0..text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(signs(&[left, right, "more"]), [Sign::Panic, Sign::Restart, Sign::Boot], "{at}");
        }
        let bytes: Vec<&str> = (0..text.len()).map(|at| &text[at..=at]).collect();
        assert_eq!(signs(&bytes), [Sign::Panic, Sign::Restart, Sign::Boot]);
    }

    #[test]
    fn a_second_boot_is_told_as_well_and_other_lines_are_no_sign() {
        assert_eq!(signs(&["cove-guest: init\ncove-guest: agent ready\n", "cove-guest: init\n"]), [Sign::Boot; 2]);
        assert_eq!(signs(&["reboot: Power down\nKernel panic"]), []);
    }

    #[tokio::test]
    async fn what_comes_is_in_the_log_when_the_guest_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut seen = Vec::new();
        keep(&b"one\nKernel panic - not syncing: x\n"[..], Sink::create(path.clone()).unwrap(), |s| seen.push(s)).await;
        assert_eq!(std::fs::read(&path).unwrap(), b"one\nKernel panic - not syncing: x\n");
        assert_eq!(seen, [Sign::Panic]);
    }
}
