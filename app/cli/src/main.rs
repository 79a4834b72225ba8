//! cove: Cove from the command line.
fn main() {}
