//! The program inside cove/hello: prints where it runs.
fn main() {}
