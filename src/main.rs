//! The binary: parse arguments, call one function, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    bylaw::cli::main(std::env::args_os())
}
