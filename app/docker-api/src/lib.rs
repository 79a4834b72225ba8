//! Docker Engine API to cove.v1: the only crate that knows Docker'\''s URLs, JSON and API versions.
