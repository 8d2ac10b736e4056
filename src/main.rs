//! The `hostcast` command.
fn main() {}
