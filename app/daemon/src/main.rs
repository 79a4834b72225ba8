//! coved: owns the machine, serves cove.v1 and the Docker API to this user.
fn main() {}
