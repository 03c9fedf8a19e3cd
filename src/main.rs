//! The binary: parse arguments, call one function, exit.

fn main() {}
