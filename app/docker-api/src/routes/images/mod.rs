//! Images, a file per verb.

pub(super) mod commit;
pub(super) mod history;
pub(super) mod import;
pub(super) mod inspect;
pub(super) mod list;
pub(super) mod load;
pub(super) mod prune;
pub(super) mod remove;
pub(super) mod save;
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
