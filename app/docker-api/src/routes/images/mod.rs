//! Images, a file per verb. `lines` — what progress streams are made of.

pub(super) mod commit;
pub(super) mod create;
pub(super) mod history;
mod import;
pub(super) mod inspect;
mod lines;
pub(super) mod list;
pub(super) mod load;
pub(super) mod prune;
mod pull;
pub(super) mod push;
pub(super) mod remove;
pub(super) mod save;
pub(super) mod search;
pub(super) mod tag;

use crate::call::Call;
use crate::error::{Error, unsupported};

/// Refuses a choice among the platforms of an image: an image has one.
fn refuse_platform(call: &Call) -> Result<(), Error> {
    if call.query.get("platform").is_empty() && call.query.get("platforms").is_empty() {
        return Ok(());
    }
    Err(unsupported("--platform for this command"))
}
