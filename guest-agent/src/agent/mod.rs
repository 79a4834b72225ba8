//! The agent: composition root, listeners, handshake.

pub mod accept;
pub mod facts;

/// Runs the agent: what `cove-guest agent` does. Returns only when it cannot go on.
///
/// # Errors
/// Whatever kept it from serving.
pub fn run() -> anyhow::Result<()> {
    anyhow::bail!("the agent is not there yet")
}
