//! The binary: parse arguments, call one function, exit.

use std::process::ExitCode;

#[cfg(feature = "controller")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bylaw::cli::main(std::env::args_os())
}
